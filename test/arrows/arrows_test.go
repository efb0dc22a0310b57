package arrows

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "goppptp/"

// Modules of others, by the names that the arrows use.
var modules = map[string]string{
	"cobra":    "github.com/spf13/cobra",
	"dhcp":     "github.com/insomniacslk/dhcp",
	"dbus":     "github.com/godbus/dbus/v5",
	"keyring":  "github.com/zalando/go-keyring",
	"netlink":  "github.com/vishvananda/netlink",
	"nftables": "github.com/google/nftables",
	"systray":  "github.com/getlantern/systray",
	"x/net":    "golang.org/x/net",
	"x/sys":    "golang.org/x/sys",
	"x/term":   "golang.org/x/term",
	"yaml":     "gopkg.in/yaml.v3",
}

// arrows lists what a package may import besides the standard library. The
// protocol packages know nothing but each other; client and server do not know
// each other; what is not listed is forbidden, a package without a row as well.
var arrows = map[string]string{
	"internal/mschap":     "",
	"internal/mppe":       "",
	"internal/gre":        "",
	"internal/pptp":       "",
	"internal/ppp/auth":   "internal/mschap",
	"internal/ppp":        "internal/ppp/auth internal/mschap",
	"internal/control":    "",
	"internal/polkit":     "dbus",
	"internal/strictyaml": "yaml",
	"internal/pppdfile":   "",
	"internal/keyring":    "keyring",

	"internal/offload":         "",
	"internal/tunnel":          "internal/ppp internal/ppp/auth internal/pptp internal/gre internal/mppe internal/offload",
	"internal/osnet":           "netlink x/sys x/net",
	"internal/osnet/osnettest": "internal/osnet internal/offload",
	"internal/netlab":          "netlink nftables x/sys",

	"routing":           "netlink dbus x/sys",
	"profiles":          "yaml routing internal/strictyaml internal/pppdfile",
	"profiles/examples": "",

	// Besides the loop, its owners name the values that go in and the errors
	// that come out: settings of the link, causes of a refusal.
	"client": "internal/tunnel internal/osnet internal/offload routing profiles internal/control internal/ppp internal/ppp/auth internal/pptp internal/polkit dhcp x/net",
	"server": "internal/tunnel internal/osnet internal/strictyaml internal/pppdfile yaml dhcp internal/ppp internal/ppp/auth internal/pptp internal/mschap",

	// The tray knows the daemon by its socket alone.
	"tray":             "internal/control internal/keyring dbus systray tray/icons",
	"tray/icons":       "",
	"tray/icons/draw":  "",
	"cmd/goppptp-tray": "tray tray/icons internal/control dbus",

	// It fills both seams of a session, whose values are of these packages.
	"nm":                         "client routing profiles dbus internal/control internal/osnet internal/tunnel internal/ppp/auth",
	"cmd/nm-goppptp-service":     "nm",
	"cmd/nm-goppptp-auth-dialog": "nm",

	"cmd/goppptp": "client server nm internal/tunnel internal/control profiles routing internal/netlab internal/osnet internal/mschap internal/keyring tray/icons cobra x/term x/sys",
}

// A file is a Go source file of the tree.
type file struct {
	path   string // from the module's root
	source []byte
	syntax *ast.File
}

func (f *file) folder() string { return path.Dir(f.path) }
func (f *file) isTest() bool   { return strings.HasSuffix(f.path, "_test.go") }

var fset = token.NewFileSet()

// files parses the whole tree.
func files(t *testing.T) []*file {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var list []*file
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") && name != root {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f := &file{}
		if f.path, err = filepath.Rel(root, name); err != nil {
			return err
		}
		if f.source, err = os.ReadFile(name); err != nil {
			return err
		}
		if f.syntax, err = parser.ParseFile(fset, name, f.source, parser.ParseComments); err != nil {
			return err
		}
		list = append(list, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 20 {
		t.Fatalf("only %d Go files under %s", len(list), root)
	}
	return list
}

// short is an import as the arrows name it, empty for the standard library.
func short(imported string) string {
	if inside, ok := strings.CutPrefix(imported, module); ok {
		return inside
	}
	for name, prefix := range modules {
		if imported == prefix || strings.HasPrefix(imported, prefix+"/") {
			return name
		}
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return ""
	}
	return imported
}

func TestArrows(t *testing.T) {
	for _, f := range files(t) {
		if f.isTest() || strings.HasPrefix(f.path, "test/") {
			continue
		}
		allowed, known := arrows[f.folder()]
		if !known {
			t.Errorf("%s: no arrows are listed for package %s", f.path, f.folder())
			continue
		}
		for _, spec := range f.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name := short(imported); name != "" && !slices.Contains(strings.Fields(allowed), name) {
				t.Errorf("%s imports %s: %s may import %q", f.path, imported, f.folder(), allowed)
			}
		}
	}
}

// TestShort keeps TestArrows from passing for want of understanding.
func TestShort(t *testing.T) {
	for imported, want := range map[string]string{
		"net/http":                        "",
		"goppptp/internal/ppp":            "internal/ppp",
		"golang.org/x/sys/unix":           "x/sys",
		"github.com/vishvananda/netlink":  "netlink",
		"github.com/vishvananda/netlinks": "github.com/vishvananda/netlinks",
		"example.org/other":               "example.org/other",
	} {
		if got := short(imported); got != want {
			t.Errorf("%s: %q, want %q", imported, got, want)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, f := range files(t) {
		formatted, err := format.Source(f.source)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(formatted, f.source) {
			t.Errorf("%s is not in gofmt's format", f.path)
		}
	}
}

func TestPackageComments(t *testing.T) {
	commented := make(map[string]bool)
	for _, f := range files(t) {
		commented[f.folder()] = commented[f.folder()] || !f.isTest() && f.syntax.Doc != nil
	}
	for folder, ok := range commented {
		if !ok {
			t.Errorf("package %s has no package comment", folder)
		}
	}
}

func TestNoSleepInTests(t *testing.T) {
	for _, f := range files(t) {
		if !f.isTest() {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" {
					t.Errorf("%s: a test sleeps: wait for what it waits for", fset.Position(call.Pos()))
				}
			}
			return true
		})
	}
}
