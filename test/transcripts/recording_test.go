package transcripts

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestReadWrite reads and writes each recording and gets the same text.
func TestReadWrite(t *testing.T) {
	all(t, every, func(t *testing.T, r *Recording) {
		text, err := os.ReadFile("../testdata/" + r.Name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if r.ClientPassword == r.Password {
			r.ClientPassword = ""
		}
		var again bytes.Buffer
		if err := r.Write(&again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), text) {
			t.Error("written again it differs")
		}
	})
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{
		"0.1 client gre\n",
		"0.1 client gre 3001zz\n",
		"soon client gre 3001\n",
		"user sio4\n",
		"colour blue\n",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
