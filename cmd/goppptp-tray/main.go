//go:build tray

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"goppptp/internal/control"
	"goppptp/tray"
	"goppptp/tray/icons"
)

// panelWait is how long a panel may take to start beside us before the user is
// told that there is none.
const panelWait = 15 * time.Second

func main() {
	runDir := flag.String("run-dir", envOr("GOPPPTP_RUN_DIR", filepath.Dir(control.DefaultSocket)), "`directory` of the daemon's socket")
	login := flag.Bool("login", false, "connect what is to be connected at login")
	panel := flag.String("panel", envOr("GOPPPTP_TRAY_PANEL", "auto"), "icons for a `dark, light or auto` panel")
	flag.Parse()
	texts := tray.EnvironmentTexts()
	fail := func(key string, err error) {
		fmt.Fprintln(os.Stderr, texts.Say(key))
		if err != nil {
			fmt.Fprintln(os.Stderr, "goppptp-tray:", err)
		}
		os.Exit(1)
	}

	if err := tray.CheckDisplay(os.Getenv); err != nil {
		fail("main.display", err)
	}
	conn, err := tray.OpenSession()
	if errors.Is(err, tray.ErrRunning) {
		fmt.Fprintln(os.Stderr, texts.Say("main.running"))
		return
	}
	if err != nil {
		fail("main.bus", err)
	}
	set := icons.Light
	if *panel == "dark" || *panel != "light" && tray.DarkPanel(os.Getenv, func() (bool, bool) { return tray.PrefersDark(conn) }) {
		set = icons.Dark
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	notifier := tray.NewNotifier(conn, texts)
	go noPanel(ctx, conn, notifier, texts)
	asker := &tray.Asker{Texts: texts, Tell: func(summary, body string) { notifier.Tell("ask", summary, body) }}
	opts := tray.Options{
		Socket: filepath.Join(*runDir, "control.sock"), Texts: texts, Login: *login,
		Notify: notifier.Notify, Password: asker.Password, OpenLog: func() { openLog(*runDir) },
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if dir, err := os.UserConfigDir(); err == nil {
		exe, _ := os.Executable()
		opts.Settings = &tray.Settings{ConfigDir: dir, Program: exe}
	}
	tray.RunDesktop(set, func(shell tray.Shell) {
		opts.Shell = shell
		if err := tray.Run(ctx, opts); err != nil {
			opts.Log.Error("ended", "error", err)
		}
	})
}

// noPanel says that nobody shows the icon, when nobody does. It is shown as
// soon as somebody will.
func noPanel(ctx context.Context, conn *dbus.Conn, notifier *tray.Notifier, texts *tray.Texts) {
	if !tray.AwaitPanel(ctx, conn, panelWait) && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, texts.Say("main.nopanel"))
		notifier.Tell("panel", texts.Say("notice.nopanel"), texts.Say("notice.nopanel.body"))
	}
}

// openLog shows the daemon's log in a terminal, the first that is there.
func openLog(runDir string) {
	show := `journalctl -e -u goppptp.service 2>/dev/null || less "$0"`
	args := []string{"sh", "-c", show, filepath.Join(runDir, "daemon.log")}
	for _, terminal := range [][]string{
		{"xdg-terminal-exec"}, {"x-terminal-emulator", "-e"}, {"gnome-terminal", "--"}, {"konsole", "-e"},
		{"xfce4-terminal", "-x"}, {"foot"}, {"xterm", "-e"},
	} {
		path, err := exec.LookPath(terminal[0])
		if err != nil {
			continue
		}
		cmd := exec.Command(path, append(terminal[1:len(terminal):len(terminal)], args...)...)
		if cmd.Start() == nil {
			go cmd.Wait()
			return
		}
	}
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
