// Package profiles reads and writes the YAML files that describe a connection.
//
// [Parse] is strict: an unknown key, a key given twice, a value of the wrong
// type or out of range is an error that names file, line, column and key, and
// where possible what was meant. All errors of a file are reported at once, as
// [Errors]. [Load] finds a profile by name in the directories of [Dirs] and
// also checks that nobody else can read the secret in it.
//
// A profile that was parsed keeps its text: [Profile.AddRoute] and its like
// edit it in place, and [Profile.Save] writes it back with every comment.
//
//	p, err := profiles.Load(profiles.Dirs(""), "lab")
//	secret, err := p.ReadSecret(ctx)
//	cfg := p.RoutingConfig()
//
// # Limitations
//
// One YAML document a file, at most 1 MiB; merge keys ("<<") are not known.
// Host names in routes stay names: to resolve them is the client's work.
package profiles
