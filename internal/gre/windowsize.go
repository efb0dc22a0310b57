package gre

import "time"

// Our tunables of a SendWindow's size.
const (
	// DefaultSlack, and half of it more, fits the smallest of usual receive buffers.
	DefaultSlack = 24
	maxSlack     = 1 << 14
	maxSize      = 1 << 20

	// minPeriod is the least time over which a rate is measured: what reads in gulps has another rate for a moment.
	minPeriod = 50 * time.Millisecond

	// While no queue shows the way is taken for longer than it was found to be, by so many times.
	growth      = 0.25
	firstGrowth = 1. // until a first queue shows
	// So much of what is in flight may wait at the peer as well as half of the slack: acknowledgments do not come at once.
	queueShare = 1. / 8

	// A trial of another slack begins firstWait periods in which the window was the limit after the one before, later each
	// time it fails. It takes trialPeriods, and as many with the slack as it was before and after. What was gained so
	// is tried without again from time to time.
	firstWait    = 8
	maxWait      = 1024
	overrunWait  = 256 // after one that may have overrun the peer
	trialPeriods = 4
	enoughMore   = 1.3  // half as much slack again has to carry that much more
	enoughLess   = 0.95 // a third less may carry that much less
)

// An estimate is what a SendWindow has found out about the peer and the way there.
type estimate struct {
	slack int     // packets that may wait at the peer
	least int     // the slack to begin with
	bw    float64 // packets a second that get through
	known bool    // a queue was found

	// The present period.
	began   time.Time
	settled int // packets acknowledged
	stops   int // how often the window was full
	queued  int // packets found waiting at the peer, at the least; -1: nobody looked
	looked  int // and how many were in flight then

	// Trials of other slacks.
	stage  stage
	tried  int     // periods in this stage
	wait   int     // how many there are between two trials
	less   bool    // the trial is of less
	was    int     // the slack before it
	sum    float64 // of the last rates of this stage
	before float64 // the mean rate before
	during float64
}

// A stage of a trial.
type stage uint8

const (
	resting stage = iota
	trying
	comparing // with the slack that was
)

func (e *estimate) start(slack int) {
	e.slack, e.least, e.wait, e.queued = slack, slack, firstWait, -1
}

// queue takes note of a round trip with so many packets in flight, whose shortest time is that share of what it took.
func (e *estimate) queue(flight int, share float64) {
	queued := flight - int(float64(flight)*share)
	if e.queued < 0 || queued < e.queued {
		e.queued, e.looked = queued, flight
	}
}

// count takes note of packets that were acknowledged, and chooses the size anew when a period is over.
func (w *SendWindow) count(now time.Time, settled uint32) {
	if w.began.IsZero() {
		w.began = now
		return
	}
	w.settled += int(min(settled, maxSize))
	took := now.Sub(w.began)
	if took < max(minPeriod, w.base) || w.stops > 0 && w.queued < 0 {
		return
	}
	rate := float64(w.settled) / took.Seconds()
	if w.queued >= 0 {
		w.resize(rate)
	} else {
		w.bw = max(w.bw, rate)
	}
	w.began, w.settled, w.stops, w.queued, w.looked = now, 0, 0, -1, 0
}

func (w *SendWindow) resize(rate float64) {
	saturated := w.queued >= max(w.slack/2, int(queueShare*float64(w.looked)))
	if 2*w.stops*w.size >= w.settled { // full most of the time
		if w.good++; w.good >= forgivenAfter {
			w.truceLen = 0
		}
		w.bw -= w.bw / 8
		if saturated {
			w.try(rate)
		}
	}
	w.bw = max(w.bw, rate)
	w.size = w.fits()
	switch way := w.size - w.slack; {
	case saturated:
		w.known = true
	case w.known:
		w.size += int(growth * float64(way))
	default:
		w.size += int(firstGrowth * float64(way))
	}
}

// fits is how many packets can be in flight: on the way, and waiting at the peer.
func (w *SendWindow) fits() int {
	return int(min(w.bw*w.base.Seconds(), maxSize/4)) + w.slack
}

// try goes on with a trial, or begins one, after a period in which the window was the limit. With chance alone more slack
// would grow: the rates of single periods differ by half where the peer has other things to do.
func (e *estimate) try(rate float64) {
	length := trialPeriods
	if e.stage == resting {
		length = e.wait
	}
	if e.tried++; e.tried > length-trialPeriods {
		e.sum += rate
	}
	if e.tried < length {
		return
	}
	mean := e.sum / trialPeriods
	e.tried, e.sum = 0, 0
	switch e.stage {
	case resting:
		e.stage, e.before, e.was = trying, mean, e.slack
		if e.less {
			e.slack = max(e.slack*2/3, e.least)
		} else {
			e.slack = min(e.slack+e.slack/2, maxSlack)
		}
	case trying:
		e.during = mean
		if e.worth(e.before) {
			e.stage, e.slack, e.was = comparing, e.was, e.slack
		} else {
			e.reject()
		}
	case comparing:
		if e.slack, e.was = e.was, e.slack; e.worth(mean) {
			e.stage, e.wait, e.less = resting, firstWait, false
		} else {
			e.reject()
		}
	}
}

// worth reports whether the trial has carried enough, where as much as that is carried without.
func (e *estimate) worth(without float64) bool {
	if e.less {
		return e.during >= enoughLess*without
	}
	return e.during >= enoughMore*without
}

// reject ends a trial: the slack is again what it was. What was gained before comes under trial, too.
func (e *estimate) reject() {
	e.stage, e.slack, e.wait = resting, e.was, min(2*e.wait, maxWait)
	e.less = !e.less && e.slack > e.least
}

// overrun takes note that the peer fell silent, as pptp-linux and pptpd do when they miss a packet. More slack than at the
// beginning may be why.
func (e *estimate) overrun() {
	if e.slack > e.least || e.stage != resting {
		e.was, e.less = e.least, true
		e.tried, e.sum = 0, 0
		e.reject()
		e.wait = max(e.wait, overrunWait)
	}
}
