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

	"goppptp/test/bench/figures"
)

// begin starts the report of a part: where and when this is.
func (b *bench) begin(ctx context.Context, name string) {
	b.set, b.targets, b.report = figures.Set{}, nil, figures.Report{Part: name, Title: titles[name], Rounds: b.rounds}
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
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		b.report.Load, _, _ = strings.Cut(string(text), " ")
	}
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

// finish prints the part's tables and writes the results' files, in which the
// other parts stay as they are.
func (b *bench) finish() error {
	b.report.Set, b.report.Targets = b.set, b.targets
	b.say("\n%s", b.report.Markdown())
	err := b.write()
	if len(b.report.Failed) > 0 {
		err = errors.Join(err, fmt.Errorf("%s: not everything could be measured", b.report.Part))
	}
	return err
}

func (b *bench) write() error {
	if b.out == "" {
		return nil
	}
	var d figures.Document
	values := filepath.Join(b.out, "bench.json")
	old, err := os.ReadFile(values)
	if err == nil {
		err = json.Unmarshal(old, &d)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the earlier results: %w", err)
	}
	d.Put(b.report)
	text, err := json.MarshalIndent(d, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	own := []string{"goppptp"}
	for _, w := range b.with {
		own = append(own, w.name)
	}
	for name, text := range map[string]string{
		"bench.json": string(text) + "\n", "bench.md": d.Markdown(), "bench.svg": plot(&d, own),
	} {
		if err := os.WriteFile(filepath.Join(b.out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
