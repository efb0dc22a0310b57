package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// describeMachine notes where and when this is.
func (b *bench) describeMachine(ctx context.Context) {
	var u unix.Utsname
	kernel := "unknown kernel"
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		model = cpuModel(string(text), model)
	}
	b.report.Machine = fmt.Sprintf("%s, %d cores, %s, %s", model, runtime.NumCPU(), kernel, runtime.GOARCH)
	b.report.Go = runtime.Version()
	b.report.Date = time.Now().UTC().Format("2006-01-02")
	if out, err := exec.CommandContext(ctx, "iperf3", "--version").Output(); err == nil {
		first, _, _ := strings.Cut(string(out), " (")
		b.version("iperf3", strings.TrimPrefix(first, "iperf "))
	}
}

// cpuModel finds the processor's name in /proc/cpuinfo.
func cpuModel(text, otherwise string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}

// write prints the table and writes the results' files.
func (b *bench) write() error {
	b.report.Rounds, b.report.Set = b.rounds, b.set
	for _, t := range b.targets {
		b.report.Outcomes = append(b.report.Outcomes, b.set.Judge(t))
	}
	table := b.report.Markdown()
	b.say("\n%s", table)
	var err error
	if len(b.report.Failed) > 0 {
		err = errors.New("not everything could be measured")
	}
	if b.out == "" {
		return err
	}
	values, e := json.MarshalIndent(b.report, "", "\t")
	if e != nil {
		return e
	}
	if e := os.MkdirAll(b.out, 0o755); e != nil {
		return e
	}
	for name, text := range map[string]string{"bench.md": table, "bench.svg": b.plot(), "bench.json": string(values) + "\n"} {
		if e := os.WriteFile(filepath.Join(b.out, name), []byte(text), 0o644); e != nil {
			return e
		}
	}
	return err
}
