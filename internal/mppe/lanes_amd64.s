//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// The loops of lanes.go, sixteen steps a round, with nothing but what every
// amd64 has. Two things make them faster:
//
// The next entry, x of the step to come, is loaded before this step stores, and
// replaced where the store would have changed it. A load behind the store would
// wait for its address, or, worse, not wait and be done again.
//
// The octets of the stream do not go to memory one by one, as stores are what
// limits the loop: those of even steps are collected in one register, those of
// odd steps in another.
//
// SI: the engine. DI: steps done. BX: entry i of lane 0's state, at i a multiple
// of 16. R13: the i of the next step, in its low octet. R11, CX: scratch.
//	lane      0   1   2   3
//	j         R8  R9  R10 DX
//	x         AX  R14 R15 R12
//	stream    X0  X2  X4  X6   even steps
//	          X1  X3  X5  X7   odd steps

#define STATE(lane) (Engine_s+1024*lane)

// A lane's step: x of the next step, the swap, an octet of the stream.
#define STREAM(lane, q, j, x, stream) \
	ADDB x, j; \
	MOVL (STATE(lane)+4*(q)+4)(BX), R11; \
	SWAP(lane, q, j, x); \
	OCTET(lane, q, x, stream); \
	AHEAD(j, x)

// The sixteenth, behind which the state may end.
#define STREAMLAST(lane, q, j, x, stream) \
	ADDB x, j; \
	MOVBLZX R13, R11; \
	MOVL STATE(lane)(SI)(R11*4), R11; \
	SWAP(lane, q, j, x); \
	OCTET(lane, q, x, stream); \
	AHEAD(j, x)

// The same with a key to be scheduled.
#define KEYED(lane, q, j, x, stream) \
	ADDB KEY(lane, q), j; \
	STREAM(lane, q, j, x, stream)

#define KEYEDLAST(lane, q, j, x, stream) \
	ADDB KEY(lane, q), j; \
	STREAMLAST(lane, q, j, x, stream)

// The same without the octet of the stream.
#define SCHEDULE(lane, q, j, x, stream) \
	ADDB KEY(lane, q), j; \
	ADDB x, j; \
	MOVL (STATE(lane)+4*(q)+4)(BX), R11; \
	SWAP(lane, q, j, x); \
	AHEAD(j, x)

#define SCHEDULELAST(lane, q, j, x, stream) \
	ADDB KEY(lane, q), j; \
	ADDB x, j; \
	MOVBLZX R13, R11; \
	MOVL STATE(lane)(SI)(R11*4), R11; \
	SWAP(lane, q, j, x); \
	AHEAD(j, x)

#define KEY(lane, q) (Engine_key+const_longKey*lane+(q))(SI)

#define SWAP(lane, q, j, x) \
	MOVL STATE(lane)(SI)(j*4), CX; \
	MOVL x, STATE(lane)(SI)(j*4); \
	MOVL CX, (STATE(lane)+4*(q))(BX)

#define OCTET(lane, q, x, stream) \
	ADDB x, CX; \
	PINSRW $((q)/2), STATE(lane)(SI)(CX*4), stream

#define AHEAD(j, x) \
	CMPB j, R13; \
	CMOVLNE R11, x

// A step of all lanes. The first of them do one thing, the last may do another.
#define LANES2(do, other, q, a, b, c, d) \
	do(0, q, R8, AX, a); \
	do(1, q, R9, R14, b); \
	INCL R13

#define LANES3(do, other, q, a, b, c, d) \
	do(0, q, R8, AX, a); \
	do(1, q, R9, R14, b); \
	do(2, q, R10, R15, c); \
	INCL R13

#define LANES4(do, other, q, a, b, c, d) \
	do(0, q, R8, AX, a); \
	do(1, q, R9, R14, b); \
	do(2, q, R10, R15, c); \
	other(3, q, DX, R12, d); \
	INCL R13

#define TWO(lanes, do, other, doLast, otherLast, q) \
	lanes(do, other, q, X0, X2, X4, X6); \
	lanes(doLast, otherLast, q+1, X1, X3, X5, X7)

#define SIXTEEN(lanes, do, other, doLast, otherLast) \
	TWO(lanes, do, other, do, other, 0); \
	TWO(lanes, do, other, do, other, 2); \
	TWO(lanes, do, other, do, other, 4); \
	TWO(lanes, do, other, do, other, 6); \
	TWO(lanes, do, other, do, other, 8); \
	TWO(lanes, do, other, do, other, 10); \
	TWO(lanes, do, other, do, other, 12); \
	TWO(lanes, do, other, doLast, otherLast, 14)

#define LOAD(lane, j, x) \
	MOVBLZX (Engine_j+lane)(SI), j; \
	MOVL STATE(lane)(SI), x

#define STORE(lane, even, odd) \
	PSLLW $8, odd; \
	POR odd, even; \
	MOVOU even, (Engine_stream+const_stride*lane)(SI)(DI*1)

#define BEGIN \
	MOVQ e+0(FP), SI; \
	MOVQ SI, BX; \
	XORL DI, DI; \
	XORL CX, CX; \
	MOVL $1, R13; \
	LOAD(0, R8, AX); \
	LOAD(1, R9, R14)

#define BEGIN4 \
	BEGIN; \
	LOAD(2, R10, R15); \
	LOAD(3, DX, R12)

#define NEXT \
	ADDQ $16, DI; \
	MOVBLZX DI, BX; \
	LEAQ (SI)(BX*4), BX; \
	CMPQ DI, steps+8(FP)

#define END \
	MOVB R8, (Engine_j+0)(SI); \
	MOVB R9, (Engine_j+1)(SI)

#define END4 \
	END; \
	MOVB R10, (Engine_j+2)(SI); \
	MOVB DX, (Engine_j+3)(SI)

// func schedule2(e *Engine, steps int)
TEXT ·schedule2(SB), NOSPLIT, $0-16
	BEGIN

loop:
	SIXTEEN(LANES2, SCHEDULE, SCHEDULE, SCHEDULELAST, SCHEDULELAST)
	NEXT
	JLT loop
	END
	RET

// func schedule4(e *Engine, steps int)
TEXT ·schedule4(SB), NOSPLIT, $0-16
	BEGIN4

loop:
	SIXTEEN(LANES4, SCHEDULE, SCHEDULE, SCHEDULELAST, SCHEDULELAST)
	NEXT
	JLT loop
	END4
	RET

// func stream2(e *Engine, steps int)
TEXT ·stream2(SB), NOSPLIT, $0-16
	BEGIN

loop:
	SIXTEEN(LANES2, STREAM, STREAM, STREAMLAST, STREAMLAST)
	STORE(0, X0, X1)
	STORE(1, X2, X3)
	NEXT
	JLT loop
	END
	RET

// func stream3(e *Engine, steps int)
TEXT ·stream3(SB), NOSPLIT, $0-16
	BEGIN
	LOAD(2, R10, R15)

loop:
	SIXTEEN(LANES3, STREAM, STREAM, STREAMLAST, STREAMLAST)
	STORE(0, X0, X1)
	STORE(1, X2, X3)
	STORE(2, X4, X5)
	NEXT
	JLT loop
	END
	MOVB R10, (Engine_j+2)(SI)
	RET

// func beside4(e *Engine, steps int)
TEXT ·beside4(SB), NOSPLIT, $0-16
	BEGIN4

loop:
	SIXTEEN(LANES4, STREAM, SCHEDULE, STREAMLAST, SCHEDULELAST)
	STORE(0, X0, X1)
	STORE(1, X2, X3)
	STORE(2, X4, X5)
	NEXT
	JLT loop
	END4
	RET

// func mixed2(e *Engine, steps int)
TEXT ·mixed2(SB), NOSPLIT, $0-16
	BEGIN

loop:
	SIXTEEN(LANES2, KEYED, KEYED, KEYEDLAST, KEYEDLAST)
	STORE(0, X0, X1)
	STORE(1, X2, X3)
	NEXT
	JLT loop
	END
	RET

// func mixed4(e *Engine, steps int)
TEXT ·mixed4(SB), NOSPLIT, $0-16
	BEGIN4

loop:
	SIXTEEN(LANES4, KEYED, KEYED, KEYEDLAST, KEYEDLAST)
	STORE(0, X0, X1)
	STORE(1, X2, X3)
	STORE(2, X4, X5)
	STORE(3, X6, X7)
	NEXT
	JLT loop
	END4
	RET
