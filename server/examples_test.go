package server

import (
	"os"
	"strings"
	"testing"
)

// TestExample: the example is good, and has every key there is.
func TestExample(t *testing.T) {
	data, err := os.ReadFile("examples/server.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig("examples/server.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Users) != 1 || len(c.Remote) != 10 || len(c.PushRoutes) != 2 {
		t.Errorf("%+v", c)
	}
	for key := range (&configParser{cfg: c}).keys() {
		if key != "radius" && key != "metrics" && !strings.Contains(string(data), key+":") {
			t.Errorf("%s is not in the example", key)
		}
	}
}
