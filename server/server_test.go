package server

import (
	"testing"
	"testing/synctest"
)

func TestSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		d := r.dial(dialOptions{user: "sio4", pass: "p4ssw0rd"})
		d.wantUp(t)
		synctest.Wait()
		t.Log(d.network)
		d.hangUp()
		synctest.Wait()
		t.Log(r.log.String())
	})
}
