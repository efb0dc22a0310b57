package profiles

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed examples/*.yaml
var examples embed.FS

// Examples returns the names of the profiles that come with the program.
func Examples() []string {
	var out []string
	files, err := fs.ReadDir(examples, "examples")
	if err != nil {
		panic(err) // embedded: the build would have failed
	}
	for _, f := range files {
		out = append(out, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return out
}

// Example returns the text of one of Examples; fs.ErrNotExist for another name.
func Example(name string) ([]byte, error) {
	return examples.ReadFile("examples/" + name + ".yaml")
}
