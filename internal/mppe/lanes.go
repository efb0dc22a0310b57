package mppe

// The loops below treat one lane after the other, so that few registers are
// needed; it is the processor that overlaps them. A stride is a multiple of 256
// octets, so RC4's i follows from the position.

func (e *Engine) schedule2(ka, kb *[longKey]byte) {
	var ja, jb uint8
	for i := range 256 {
		x := e.s[0][i]
		ja += uint8(x) + ka[i%longKey]
		e.s[0][i], e.s[0][ja] = e.s[0][ja], x
		x = e.s[1][i]
		jb += uint8(x) + kb[i%longKey]
		e.s[1][i], e.s[1][jb] = e.s[1][jb], x
	}
}

func (e *Engine) schedule3(ka, kb, kc *[longKey]byte) {
	var ja, jb, jc uint8
	for i := range 256 {
		x := e.s[0][i]
		ja += uint8(x) + ka[i%longKey]
		e.s[0][i], e.s[0][ja] = e.s[0][ja], x
		x = e.s[1][i]
		jb += uint8(x) + kb[i%longKey]
		e.s[1][i], e.s[1][jb] = e.s[1][jb], x
		x = e.s[2][i]
		jc += uint8(x) + kc[i%longKey]
		e.s[2][i], e.s[2][jc] = e.s[2][jc], x
	}
}

func (e *Engine) schedule4(ka, kb, kc, kd *[longKey]byte) {
	var ja, jb, jc, jd uint8
	for i := range 256 {
		x := e.s[0][i]
		ja += uint8(x) + ka[i%longKey]
		e.s[0][i], e.s[0][ja] = e.s[0][ja], x
		x = e.s[1][i]
		jb += uint8(x) + kb[i%longKey]
		e.s[1][i], e.s[1][jb] = e.s[1][jb], x
		x = e.s[2][i]
		jc += uint8(x) + kc[i%longKey]
		e.s[2][i], e.s[2][jc] = e.s[2][jc], x
		x = e.s[3][i]
		jd += uint8(x) + kd[i%longKey]
		e.s[3][i], e.s[3][jd] = e.s[3][jd], x
	}
}

// stream2 puts the next n octets of two streams into their lanes.
func (e *Engine) stream2(n int, j *[lanes]uint8) {
	ja, jb := j[0], j[1]
	for p := range n {
		i := uint8(p + 1)
		x := e.s[0][i]
		ja += uint8(x)
		y := e.s[0][ja]
		e.s[0][i], e.s[0][ja] = y, x
		e.stream[0][p&(stride-1)] = uint8(e.s[0][uint8(x+y)])
		x = e.s[1][i]
		jb += uint8(x)
		y = e.s[1][jb]
		e.s[1][i], e.s[1][jb] = y, x
		e.stream[1][p&(stride-1)] = uint8(e.s[1][uint8(x+y)])
	}
	j[0], j[1] = ja, jb
}

// stream3 puts the next n octets of three streams into their lanes.
func (e *Engine) stream3(n int, j *[lanes]uint8) {
	ja, jb, jc := j[0], j[1], j[2]
	for p := range n {
		i := uint8(p + 1)
		x := e.s[0][i]
		ja += uint8(x)
		y := e.s[0][ja]
		e.s[0][i], e.s[0][ja] = y, x
		e.stream[0][p&(stride-1)] = uint8(e.s[0][uint8(x+y)])
		x = e.s[1][i]
		jb += uint8(x)
		y = e.s[1][jb]
		e.s[1][i], e.s[1][jb] = y, x
		e.stream[1][p&(stride-1)] = uint8(e.s[1][uint8(x+y)])
		x = e.s[2][i]
		jc += uint8(x)
		y = e.s[2][jc]
		e.s[2][i], e.s[2][jc] = y, x
		e.stream[2][p&(stride-1)] = uint8(e.s[2][uint8(x+y)])
	}
	j[0], j[1], j[2] = ja, jb, jc
}

// stream4 puts the next n octets of four streams into their lanes.
func (e *Engine) stream4(n int, j *[lanes]uint8) {
	ja, jb, jc, jd := j[0], j[1], j[2], j[3]
	for p := range n {
		i := uint8(p + 1)
		x := e.s[0][i]
		ja += uint8(x)
		y := e.s[0][ja]
		e.s[0][i], e.s[0][ja] = y, x
		e.stream[0][p&(stride-1)] = uint8(e.s[0][uint8(x+y)])
		x = e.s[1][i]
		jb += uint8(x)
		y = e.s[1][jb]
		e.s[1][i], e.s[1][jb] = y, x
		e.stream[1][p&(stride-1)] = uint8(e.s[1][uint8(x+y)])
		x = e.s[2][i]
		jc += uint8(x)
		y = e.s[2][jc]
		e.s[2][i], e.s[2][jc] = y, x
		e.stream[2][p&(stride-1)] = uint8(e.s[2][uint8(x+y)])
		x = e.s[3][i]
		jd += uint8(x)
		y = e.s[3][jd]
		e.s[3][i], e.s[3][jd] = y, x
		e.stream[3][p&(stride-1)] = uint8(e.s[3][uint8(x+y)])
	}
	j[0], j[1], j[2], j[3] = ja, jb, jc, jd
}
