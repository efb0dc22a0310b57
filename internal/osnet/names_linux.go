package osnet

import (
	"math/bits"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Names like "ppp%d" are numbered here: the kernel's own search for the first
// free number reads the names of all interfaces there are, which with thousands of
// them takes longer than all else about a new one.

// A numberSpace has the numbers that this process's interfaces have in their
// names.
type numberSpace struct {
	key  spaceKey
	used []uint64 // a bitmap; spaces guards
}

// A spaceKey is a pattern in a network namespace.
type spaceKey struct {
	netns   uint64 // inode
	pattern string
}

// spaces are those with a number in use.
var spaces = struct {
	sync.Mutex
	m map[spaceKey]*numberSpace
}{m: make(map[spaceKey]*numberSpace)}

// takeNumber gives the first number from least on that no interface of this
// process has in its name: the pattern's "%d" in the thread's namespace. ok is
// false for a pattern that is none.
func takeNumber(pattern string, least int) (s *numberSpace, n int, ok bool) {
	if strings.Count(pattern, "%") != 1 || !strings.Contains(pattern, "%d") {
		return nil, 0, false
	}
	var stat unix.Stat_t
	if unix.Stat("/proc/thread-self/ns/net", &stat) != nil {
		return nil, 0, false
	}
	key := spaceKey{stat.Ino, pattern}
	spaces.Lock()
	defer spaces.Unlock()
	if s = spaces.m[key]; s == nil {
		s = &numberSpace{key: key}
		spaces.m[key] = s
	}
	for n = least; n/64 < len(s.used); n = (n/64 + 1) * 64 {
		if free := ^s.used[n/64] >> (n % 64); free != 0 {
			n += bits.TrailingZeros64(free)
			break
		}
	}
	for n/64 >= len(s.used) {
		s.used = append(s.used, 0)
	}
	s.used[n/64] |= 1 << (n % 64)
	return s, n, true
}

// release gives a number back.
func (s *numberSpace) release(n int) {
	spaces.Lock()
	defer spaces.Unlock()
	s.used[n/64] &^= 1 << (n % 64)
	for len(s.used) > 0 && s.used[len(s.used)-1] == 0 {
		s.used = s.used[:len(s.used)-1]
	}
	if len(s.used) == 0 {
		delete(spaces.m, s.key)
	}
}
