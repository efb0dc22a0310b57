//go:build tray

package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"goppptp/internal/control"
	"goppptp/tray"
	"goppptp/tray/icons"
)

func main() {
	dir := os.Getenv("GOPPPTP_RUN_DIR")
	if dir == "" {
		dir = filepath.Dir(control.DefaultSocket)
	}
	runDir := flag.String("run-dir", dir, "`directory` of the daemon's socket")
	login := flag.Bool("login", false, "connect what is to be connected at login")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tray.RunDesktop(icons.Dark, func(shell tray.Shell) {
		tray.Run(ctx, tray.Options{
			Socket: filepath.Join(*runDir, "control.sock"), Shell: shell, Texts: tray.EnvironmentTexts(),
			Login: *login, Log: log,
		})
	})
}
