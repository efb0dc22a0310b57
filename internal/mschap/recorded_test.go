package mschap

import "testing"

// Sessions recorded between pppd 2.4.9 and itself.

func TestRecordedVersion2(t *testing.T) {
	for _, v := range []struct{ user, password, auth, peer, response, proof, fromClient, fromServer string }{
		{
			`CORP\jdoe`, `correct "horse" \battery staple 0123456789`,
			"ab411e06532d7335378d5d120cf009d5", "a2862a4dc16552fb3d428deeb42548cb",
			"de7bfa1977a8d96a6947e684e30426f150165f0329023051",
			"S=90BC254337F5A03C0383A4DD89666210C6BE6F32 M=Access granted",
			"8b830ffc9b78dd28ed22c55e5420bc3e", "d433f629bbca7c9af0353e719fca1cd2",
		},
		{
			"sio4", "p4ssw0rd",
			"f7eb8b928f8f80af93609026ee04ecc2", "64296f75c9fa99196adfe8c447f0e4dc",
			"ebdbb9c47f6e6b69c164edf0904238258e8a3eabb957013d",
			"S=FA4C0819234E6AB8CADB702E18072518090DDCCC M=Access granted",
			"7e6ac420ca39dc4017df8875798abd6b", "56135139b26188d984d58a6452db74dd",
		},
	} {
		auth, peer := [16]byte(unhex(t, v.auth)), [16]byte(unhex(t, v.peer))
		hash := NTPasswordHash(v.password)
		response := NTResponse(auth, peer, v.user, hash)
		wantHex(t, "response", response[:], v.response)
		if !CheckAuthenticatorResponse(v.proof, hash.Hash(), response, peer, auth, v.user) {
			t.Errorf("%s: the server's proof is refused", v.user)
		}
		send, recv := StartKeysV2(hash.Hash(), response, false)
		wantHex(t, "client's key", send[:], v.fromClient)
		wantHex(t, "server's key", recv[:], v.fromServer)
	}
}

func TestRecordedVersion1(t *testing.T) {
	challenge := [8]byte(unhex(t, "66f642eeccf2546a"))
	hash := NTPasswordHash("p4ssw0rd")
	response := ChallengeResponse(challenge, hash)
	wantHex(t, "response", response[:], "04a07b17d882e841aa4010d5defb22c17918f2b9d100fbd9")
	key := StartKeyV1(hash.Hash(), challenge)
	wantHex(t, "start key", key[:], "b86d07a793ebee74bbc933f20dea1dc8")
}
