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

	// Without a queue the way is given for longer than it was found to be, and twice as long until a first queue shows.
	growth      = 1.25
	firstGrowth = 2
	// So much of what is in flight may wait at the peer as well as half of the slack: acknowledgments do not come at once.
	queueShare = 1. / 8

	// A trial of half as much slack again begins firstWait periods with a full window after the one before, later each
	// time it fails. It lasts for trialPeriods, or until so much more gets through. What was gained so is tried
	// without again: it may have been chance.
	firstWait    = 8
	maxWait      = 1024
	trialPeriods = 4
	enoughMore   = 1.2
	enoughLess   = 0.95
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
	trial trial
	tried int     // periods of it, or since the last
	wait  int     // periods between two
	less  bool    // the next is of less
	was   int     // the slack before it
	rate  float64 // and the most that got through in a period
	best  float64 // the same since then
}

type trial uint8

const (
	noTrial trial = iota
	trialOfMore
	trialOfLess
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
	way := w.bw * w.base.Seconds()
	switch {
	case saturated:
		w.known = true
	case w.known:
		way *= growth
	default:
		way *= firstGrowth
	}
	w.size = int(min(way, maxSize/2)) + w.slack
}

// try goes on with a trial, or begins one, after a period in which the window was the limit.
func (e *estimate) try(rate float64) {
	e.tried++
	e.best = max(e.best, rate)
	var keep bool
	switch e.trial {
	case noTrial:
		if e.tried < e.wait {
			return
		}
		e.was, e.rate = e.slack, e.best
		if e.less {
			e.trial, e.slack = trialOfLess, max(e.slack*2/3, e.least)
		} else {
			e.trial, e.slack = trialOfMore, min(e.slack+e.slack/2, maxSlack)
		}
		e.tried, e.best = 0, 0
		return
	case trialOfMore:
		keep = e.best >= enoughMore*e.rate
		if !keep && e.tried < trialPeriods {
			return
		}
	case trialOfLess:
		if e.tried < trialPeriods {
			return
		}
		keep = e.best >= enoughLess*e.rate
	}
	if keep {
		e.wait = firstWait
	} else {
		e.slack, e.wait = e.was, min(2*e.wait, maxWait)
	}
	e.less = e.trial == trialOfMore && !keep && e.slack > e.least
	e.trial, e.tried, e.best = noTrial, 0, 0
}
