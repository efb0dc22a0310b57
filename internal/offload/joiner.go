package offload

const (
	// maxParts is how many parts a frame may have: UIO_MAXIOV of linux/uio.h.
	maxParts = 1024
	// maxDatagrams is how many datagrams one frame of UDP may hold:
	// UDP_MAX_SEGMENTS of linux/udp.h, before it was doubled.
	maxDatagrams = 64
	// maxFlows is in how many flows at a time packets are joined.
	maxFlows = 16
)

// A Joiner makes few large frames of many packets. Set TCP and UDP to what the
// TUN takes; one goroutine uses it at a time.
type Joiner struct {
	TCP bool // segments of TCP may be joined
	UDP bool // and UDP datagrams

	packets []added // all since the last Flush
	groups  []group // the frames they make, in order
	flows   [maxFlows]flow
	nFlows  int
	evict   int // the flow that makes room for the next new one

	header [HeaderLen]byte
	parts  [][]byte
}

// An added packet, and the one that follows it in its group; 0: none.
type added struct {
	data []byte
	next int32
}

// A group is packets that leave as one frame.
type group struct {
	first, last int32 // of packets
	count       int
	kind        kind
	checked     bool   // the first packet's checksums have been verified
	push        bool   // TCP's PSH is to be set
	ip, head    int    // octets of the IP header, of all headers
	each        int    // octets of payload in each packet but the last
	total       int    // octets of the joined packet
	seq         uint32 // TCP: what follows the last
	id          uint16 // IPv4: identification of the last
	step        uint16 // IPv4, from the second on: by how much it grows
}

// A flow is one to whose latest group more may be joined.
type flow struct {
	hosts, hash uint64
	group       int32
}

// Add takes a packet that came out of the tunnel, from its IP header on. It is
// aliased, and may be changed, until Flush returns.
func (j *Joiner) Add(packet []byte) {
	j.packets = append(j.packets, added{data: packet})
	index := int32(len(j.packets) - 1)
	if !j.TCP && !j.UDP {
		j.alone(index)
		return
	}
	s := parse(packet)
	if s.kind == whole {
		if s.fragment {
			j.dropHosts(s.hosts)
		}
		j.alone(index)
		return
	}
	f := j.find(s.hash)
	if enabled := s.kind.udp() && j.UDP || !s.kind.udp() && j.TCP; !enabled || !s.joinable {
		// It must not overtake what came before it, nor be overtaken.
		j.drop(f)
		j.alone(index)
		return
	}
	if f != nil {
		if g := &j.groups[f.group]; j.join(g, index, &s) {
			if g.push || s.payload < g.each || g.count == maxParts-1 {
				j.drop(f)
			}
			return
		}
	}
	j.groups = append(j.groups, group{first: index, last: index, count: 1, kind: s.kind, push: s.push,
		ip: s.ip, head: s.head, each: s.payload, total: len(packet), seq: s.seq + uint32(s.payload), id: s.id})
	switch latest := int32(len(j.groups) - 1); {
	case s.push:
		j.drop(f)
	case f != nil:
		f.group = latest
	default:
		j.remember(flow{s.hosts, s.hash, latest})
	}
}

// alone makes a packet a frame of its own.
func (j *Joiner) alone(index int32) {
	j.groups = append(j.groups, group{first: index, last: index, count: 1})
}

// find gives the flow of this hash, or nil. Should two flows have the same,
// they are not joined with each other, as all of the headers is compared.
func (j *Joiner) find(hash uint64) *flow {
	for i := range j.flows[:j.nFlows] {
		if j.flows[i].hash == hash {
			return &j.flows[i]
		}
	}
	return nil
}

// drop ends a flow's group, if f is not nil: nothing more is joined to it.
func (j *Joiner) drop(f *flow) {
	if f != nil {
		j.nFlows--
		*f = j.flows[j.nFlows]
	}
}

// dropHosts ends the groups of all flows between two hosts: of a fragment the
// ports are not known.
func (j *Joiner) dropHosts(hosts uint64) {
	for i := j.nFlows - 1; i >= 0; i-- {
		if j.flows[i].hosts == hosts {
			j.drop(&j.flows[i])
		}
	}
}

func (j *Joiner) remember(f flow) {
	if j.nFlows < maxFlows {
		j.flows[j.nFlows] = f
		j.nFlows++
		return
	}
	j.flows[j.evict] = f
	j.evict = (j.evict + 1) % maxFlows
}

// join adds a packet to the group if it continues it and both are whole.
func (j *Joiner) join(g *group, index int32, s *segment) bool {
	first, p := j.packets[g.first].data, j.packets[index].data
	if g.kind != s.kind || g.head != s.head || s.payload > g.each || g.total+s.payload > maxPacket ||
		g.kind.udp() && g.count == maxDatagrams || !g.kind.udp() && g.seq != s.seq {
		return false
	}
	step := s.id - g.id
	if !g.kind.v6() {
		// RFC 6864, Section 4.1: with DF set the identification means nothing,
		// and many hosts leave it at 0.
		if step > 1 || step == 0 && p[6]&dontFragment == 0 || g.count > 1 && step != g.step {
			return false
		}
	}
	if !alike(g.kind, first, p, g.ip, g.head) {
		return false
	}
	if !g.checked && !intact(first, g.ip, g.kind) {
		return false
	}
	g.checked = true
	if !intact(p, g.ip, g.kind) {
		return false
	}
	j.packets[g.last].next = index
	g.last, g.id, g.step, g.push = index, s.id, step, s.push
	g.seq += uint32(s.payload)
	g.total += s.payload
	g.count++
	return true
}

// Flush gives write each frame, in parts that follow each other: HeaderLen
// octets of header first. Packets of one flow keep their order. The parts are
// write's until it returns. An error of write ends it and is returned; the
// packets that were still to come are forgotten.
func (j *Joiner) Flush(write func(parts [][]byte) error) error {
	var err error
	for i := range j.groups {
		if err = write(j.frame(&j.groups[i])); err != nil {
			break
		}
	}
	// What is kept must not keep the packets alive.
	clear(j.packets)
	clear(j.parts)
	j.packets, j.groups, j.parts = j.packets[:0], j.groups[:0], j.parts[:0]
	j.nFlows = 0
	return err
}

// frame lays a group out in j.parts.
func (j *Joiner) frame(g *group) [][]byte {
	first := j.packets[g.first]
	var h header
	if g.count > 1 {
		h = g.seal(first.data)
	}
	h.put(j.header[:])
	j.parts = append(j.parts[:0], j.header[:], first.data)
	for i := first.next; i != 0; i = j.packets[i].next {
		j.parts = append(j.parts, j.packets[i].data[g.head:])
	}
	return j.parts
}
