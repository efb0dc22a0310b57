package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticks a second in /proc/PID/stat: USER_HZ, which is 100 on every architecture
// that Linux has today.
const userHz = 100

// parseStat reads the CPU time in /proc/PID/stat (proc(5)): user and system
// time of the process and of its children that it has waited for, in seconds.
func parseStat(stat string) (float64, error) {
	// The name, in parentheses, may hold anything.
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("/proc/PID/stat has no name")
	}
	// The state, field 3, is the first behind it; utime is field 14.
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 17-2 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	var sum uint64
	for _, field := range fields[14-3 : 18-3] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("/proc/PID/stat has the time %q", field)
		}
		sum += uint64(n)
	}
	return float64(sum) / userHz, nil
}

// cpuOf is the CPU time in seconds of a process and all that descends from it.
func cpuOf(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	sum, err := parseStat(string(stat))
	if err != nil {
		return 0, err
	}
	for _, child := range childrenOf(pid) {
		if s, err := cpuOf(child); err == nil { // else it has just ended
			sum += s
		}
	}
	return sum, nil
}

func childrenOf(pid int) (pids []int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for field := range bytes.FieldsSeq(list) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// parseRSS reads VmRSS in /proc/PID/status, in octets.
func parseRSS(status string) (float64, error) {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) != 2 || fields[1] != "kB" {
			break
		}
		n, err := strconv.ParseUint(fields[0], 10, 53)
		if err != nil {
			break
		}
		return float64(n) * 1024, nil
	}
	return 0, errors.New("/proc/PID/status has no VmRSS")
}

// rssOf is the resident memory of a process and all that descends from it, in
// octets.
func rssOf(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	sum, err := parseRSS(string(status))
	if err != nil {
		return 0, err
	}
	for _, child := range childrenOf(pid) {
		if s, err := rssOf(child); err == nil {
			sum += s
		}
	}
	return sum, nil
}
