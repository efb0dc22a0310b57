package tray

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goppptp/internal/netlab"
	"goppptp/tray/icons"
)

// panelConfig is a panel at the top with a status area and a clock at its end.
const panelConfig = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="%v"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator"><property name="expand" type="bool" value="true"/><property name="style" type="uint" value="0"/></property>
    <property name="plugin-2" type="string" value="systray"><property name="square-icons" type="bool" value="true"/></property>
  </property>
</channel>
`

// The picture in the panel is at its right end; the menu's lines hang below.
const (
	screenWidth = 820
	iconX       = screenWidth - 16
	iconY       = 16
	lineX       = screenWidth - 120
	firstLine   = 48 // the middle of the first line
	lineHeight  = 25
)

// panel starts a panel and waits until it shows tray icons.
func (d *desktop) panel(dark bool) {
	d.t.Helper()
	needs(d.t, "xfce4-panel", "xdotool", "import")
	dir := filepath.Join(d.dir, "home/.config/xfce4/xfconf/xfce-perchannel-xml")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "xfce4-panel.xml"), fmt.Appendf(nil, panelConfig, dark), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.start(nil, "xfce4-panel", "--disable-wm-check")
	await(d.t, "a panel", func() bool {
		var has bool
		d.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&has)
		return has
	})
}

// items returns the icons that the panel shows, as its watcher says.
func (d *desktop) items() []string {
	v, err := d.conn.Object("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher").GetProperty("org.kde.StatusNotifierWatcher.RegisteredStatusNotifierItems")
	if err != nil {
		return nil
	}
	list, _ := v.Value().([]string)
	return list
}

// shown returns the icon that the panel shows, to read what its menu says.
func (d *desktop) shown() *icon {
	d.t.Helper()
	await(d.t, "the icon in the panel", func() bool { return len(d.items()) == 1 })
	sender, _, _ := strings.Cut(d.items()[0], "/")
	item := d.conn.Object(sender, "/org/ayatana/NotificationItem/systray")
	return &icon{t: d.t, conn: d.conn, item: item, menu: d.conn.Object(sender, "/org/ayatana/NotificationItem/systray/Menu")}
}

func (d *desktop) mouse(x, y int, click bool) {
	d.t.Helper()
	args := []string{"mousemove", fmt.Sprint(x), fmt.Sprint(y)}
	if click {
		args = append(args, "sleep", "0.2", "click", "1")
	}
	d.run("xdotool", args...)
}

// open opens the menu with a click, and waits until it is on the screen.
func (d *desktop) open() {
	d.t.Helper()
	before := d.screen()
	d.mouse(iconX, iconY, true)
	await(d.t, "the menu on the screen", func() bool { return !bytes.Equal(d.below(before), d.below(d.screen())) })
}

// clickLine opens the menu and clicks its n-th line.
func (d *desktop) clickLine(n int) {
	d.t.Helper()
	d.open()
	d.mouse(lineX, firstLine+n*lineHeight, true)
}

// screen returns a picture of the screen, as a PNG file.
func (d *desktop) screen() []byte {
	d.t.Helper()
	return []byte(d.run("import", "-window", "root", "png:-"))
}

// below returns what is on a picture under the panel.
func (d *desktop) below(picture []byte) []byte { return d.pixels(picture, 0, 40, screenWidth, 200) }

// onPanel returns what is on a picture where the icon is.
func (d *desktop) onPanel(picture []byte) []byte {
	return d.pixels(picture, screenWidth-32, 0, screenWidth, 32)
}

func (d *desktop) pixels(picture []byte, x0, y0, x1, y1 int) (out []byte) {
	d.t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		d.t.Fatal(err)
	}
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			out = append(out, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	return out
}

// keep keeps a picture of the screen where GOPPPTP_PICTURES says.
func (d *desktop) keep(name string) {
	dir := os.Getenv("GOPPPTP_PICTURES")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), d.screen(), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// A network is the closed network, with our server in it and our daemon at the
// client.
type network struct {
	*netlab.Lab
	dir     string   // the daemon's
	process *process // the daemon
}

const serverConfig = `local: 192.168.13.254
remote: [192.168.13.240-249]
users:
  - {name: sio4, password: p4ssw0rd}
`

const labYAML = `gateway: 203.235.199.133
user: sio4
password: p4ssw0rd
routes: [172.16.0.0/16, 192.168.13.0/24, 192.168.14.0/24]
`

// newNetwork starts all of it; it ends with the test.
func newNetwork(d *desktop) *network {
	t := d.t
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("needs /dev/net/tun")
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	lab, err := netlab.New(ctx, netlab.Options{Prefix: "tray"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	n := &network{Lab: lab, dir: filepath.Join(d.dir, "daemon")}
	program := filepath.Join(d.dir, "goppptp")
	cmd := exec.Command("go", "build", "-o", program, "goppptp/cmd/goppptp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	for name, text := range map[string]string{
		"server.yaml": serverConfig, "profiles/lab.yaml": labYAML, "profiles/wrong.yaml": strings.Replace(labYAML, "p4ssw0rd", "something else", 1),
	} {
		path := filepath.Join(d.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := d.startWith(lab.Server.Start, nil, program, "serve", "--config", filepath.Join(d.dir, "server.yaml"), "--run-dir", filepath.Join(d.dir, "server"))
	await(t, "the server", func() bool { return server.output() != "" })
	n.daemon(d)
	return n
}

// daemon starts our daemon at the client.
func (n *network) daemon(d *desktop) {
	d.t.Helper()
	n.process = d.startWith(n.Client.Start, nil, filepath.Join(d.dir, "goppptp"), "daemon", "-v", "--run-dir", n.dir, "--profiles", filepath.Join(d.dir, "profiles"))
	await(d.t, "the daemon", func() bool {
		c, err := net.Dial("unix", filepath.Join(n.dir, "control.sock"))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (n *network) routes(t *testing.T) []string {
	t.Helper()
	r, err := n.Client.Routes()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMouseConnectsATunnel is a user with a mouse: the tunnel, its routes and
// the picture in the panel come and go with the click.
func TestMouseConnectsATunnel(t *testing.T) {
	d := newDesktop(t, fmt.Sprintf("%dx300", screenWidth))
	d.panel(false)
	n := newNetwork(d)
	d.start(nil, binary, "--run-dir", n.dir)
	icon := d.shown()
	icon.await("○ lab: not connected")
	before := n.routes(t)
	off := d.onPanel(d.screen())
	d.open()
	d.keep("off")
	d.run("xdotool", "key", "Escape")

	d.clickLine(1) // Connect lab
	icon.await("● lab: connected, 192.168.13.240, 3 routes, ")
	up := n.routes(t)
	for _, to := range []string{"172.16.0.0/16", "192.168.13.0/24", "192.168.14.0/24"} {
		if !slices.ContainsFunc(up, func(r string) bool { return strings.HasPrefix(r, to+" via 192.168.13.254 dev ppp0 ") }) {
			t.Errorf("no route to %s through the tunnel:\n%s", to, strings.Join(up, "\n"))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if r, err := netlab.Ping(ctx, n.Client, netlab.InnerAddr, 3, 56); err != nil || r.Received != 3 {
		t.Errorf("ping through the tunnel: %+v, %v", r, err)
	}
	await(t, "another picture in the panel", func() bool { return !bytes.Equal(off, d.onPanel(d.screen())) })
	d.open()
	d.mouse(lineX, firstLine, false)
	await(t, "the submenu", func() bool { return d.drawn(d.screen()) > 60000 })
	d.keep("up")
	d.run("xdotool", "key", "Escape", "key", "Escape")

	d.clickLine(1) // Disconnect lab
	icon.await("○ lab: not connected")
	await(t, "the routes as before", func() bool { return slices.Equal(before, n.routes(t)) })

	// A router that lets no GRE through keeps it on its way for a while.
	if err := n.SetPolicy(netlab.Policy{GREToClient: netlab.Drop}); err != nil {
		t.Fatal(err)
	}
	d.clickLine(1)
	icon.await("◌ lab: connecting: negotiating the link")
	d.open()
	d.keep("connecting")
	d.run("xdotool", "key", "Escape")
	d.clickLine(1) // Stop connecting lab
	icon.await("○ lab: not connected")
	if err := n.SetPolicy(netlab.Policy{}); err != nil {
		t.Fatal(err)
	}

	d.clickLine(3) // Connect wrong: not with that password
	icon.await("▲ wrong: could not connect")
	d.open()
	d.keep("failed")
	d.run("xdotool", "key", "Escape")
}

// TestDarkPanel looks at the other set of icons, and at the other language.
func TestDarkPanelInKorean(t *testing.T) {
	d := newDesktop(t, fmt.Sprintf("%dx300", screenWidth))
	d.panel(true)
	n := newNetwork(d)
	d.start([]string{"LANG=ko_KR.UTF-8", "GTK_THEME=Adwaita:dark"}, binary, "--run-dir", n.dir)
	icon := d.shown()
	icon.awaitPicture("off, for a dark panel", icons.Dark.Off)
	d.clickLine(1)
	icon.await("● lab: 연결됨, 192.168.13.240, 경로 3개, ")
	icon.awaitPicture("up, for a dark panel", icons.Dark.Up)
	d.open()
	d.mouse(lineX, firstLine, false)
	await(t, "the submenu", func() bool { return d.drawn(d.screen()) > 60000 })
	d.keep("korean")
}

// drawn counts the pixels under the panel that are not the screen's black.
func (d *desktop) drawn(picture []byte) (n int) {
	p := d.pixels(picture, 0, 40, screenWidth, 300)
	for i := 0; i+2 < len(p); i += 3 {
		if p[i]|p[i+1]|p[i+2] != 0 {
			n++
		}
	}
	return n
}
