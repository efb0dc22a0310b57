package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// locked runs f while nobody else has the lock file of -lock.
func locked[T any](b *bench, f func() (T, error)) (T, error) {
	if b.lock == "" {
		return f()
	}
	var none T
	file, err := os.OpenFile(b.lock, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return none, err
	}
	defer file.Close()
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if err == nil {
			return f()
		}
		if err != unix.EINTR {
			return none, fmt.Errorf("lock %s: %w", b.lock, err)
		}
	}
}
