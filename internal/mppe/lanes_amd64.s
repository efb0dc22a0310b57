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

// One lane's step: swap, octet of the stream, x of the next step.
#define STEP(lane, q, j, x, stream) \
	ADDB x, j; \
	MOVL (STATE(lane)+4*(q)+4)(BX), R11; \
	SWAP(lane, q, j, x, stream)

// The sixteenth, behind which the state may end.
#define LAST(lane, q, j, x, stream) \
	ADDB x, j; \
	MOVBLZX R13, R11; \
	MOVL STATE(lane)(SI)(R11*4), R11; \
	SWAP(lane, q, j, x, stream)

#define SWAP(lane, q, j, x, stream) \
	MOVL STATE(lane)(SI)(j*4), CX; \
	MOVL x, STATE(lane)(SI)(j*4); \
	MOVL CX, (STATE(lane)+4*(q))(BX); \
	ADDB x, CX; \
	PINSRW $((q)/2), STATE(lane)(SI)(CX*4), stream; \
	CMPB j, R13; \
	CMOVLNE R11, x

#define KEY(lane, q, j) \
	ADDB (Engine_key+const_longKey*lane+(q))(SI), j

#define STREAM2(do, q, a, b, c, d) \
	do(0, q, R8, AX, a); \
	do(1, q, R9, R14, b); \
	INCL R13

#define STREAM3(do, q, a, b, c, d) \
	do(0, q, R8, AX, a); \
	do(1, q, R9, R14, b); \
	do(2, q, R10, R15, c); \
	INCL R13

#define STREAM4(do, q, a, b, c, d) \
	do(0, q, R8, AX, a); \
	do(1, q, R9, R14, b); \
	do(2, q, R10, R15, c); \
	do(3, q, DX, R12, d); \
	INCL R13

#define MIXED2(do, q, a, b, c, d) \
	KEY(0, q, R8); \
	KEY(1, q, R9); \
	STREAM2(do, q, a, b, c, d)

#define MIXED3(do, q, a, b, c, d) \
	KEY(0, q, R8); \
	KEY(1, q, R9); \
	KEY(2, q, R10); \
	STREAM3(do, q, a, b, c, d)

#define MIXED4(do, q, a, b, c, d) \
	KEY(0, q, R8); \
	KEY(1, q, R9); \
	KEY(2, q, R10); \
	KEY(3, q, DX); \
	STREAM4(do, q, a, b, c, d)

#define TWO(lanes, do, q) \
	lanes(STEP, q, X0, X2, X4, X6); \
	lanes(do, q+1, X1, X3, X5, X7)

#define SIXTEEN(lanes) \
	TWO(lanes, STEP, 0); \
	TWO(lanes, STEP, 2); \
	TWO(lanes, STEP, 4); \
	TWO(lanes, STEP, 6); \
	TWO(lanes, STEP, 8); \
	TWO(lanes, STEP, 10); \
	TWO(lanes, STEP, 12); \
	TWO(lanes, LAST, 14)

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

#define NEXT \
	STORE(0, X0, X1); \
	STORE(1, X2, X3); \
	ADDQ $16, DI; \
	MOVBLZX DI, BX; \
	LEAQ (SI)(BX*4), BX; \
	CMPQ DI, steps+8(FP)

#define END \
	MOVB R8, (Engine_j+0)(SI); \
	MOVB R9, (Engine_j+1)(SI)

#define LANES2(lanes) \
	BEGIN; \
loop: \
	SIXTEEN(lanes); \
	NEXT; \
	JLT loop; \
	END; \
	RET

#define LANES3(lanes) \
	BEGIN; \
	LOAD(2, R10, R15); \
loop: \
	SIXTEEN(lanes); \
	STORE(2, X4, X5); \
	NEXT; \
	JLT loop; \
	END; \
	MOVB R10, (Engine_j+2)(SI); \
	RET

#define LANES4(lanes) \
	BEGIN; \
	LOAD(2, R10, R15); \
	LOAD(3, DX, R12); \
loop: \
	SIXTEEN(lanes); \
	STORE(2, X4, X5); \
	STORE(3, X6, X7); \
	NEXT; \
	JLT loop; \
	END; \
	MOVB R10, (Engine_j+2)(SI); \
	MOVB DX, (Engine_j+3)(SI); \
	RET

// func streamTwo(e *Engine, steps int)
TEXT ·streamTwo(SB), NOSPLIT, $0-16
	LANES2(STREAM2)

// func streamThree(e *Engine, steps int)
TEXT ·streamThree(SB), NOSPLIT, $0-16
	LANES3(STREAM3)

// func streamFour(e *Engine, steps int)
TEXT ·streamFour(SB), NOSPLIT, $0-16
	LANES4(STREAM4)

// func mixedTwo(e *Engine, steps int)
TEXT ·mixedTwo(SB), NOSPLIT, $0-16
	LANES2(MIXED2)

// func mixedThree(e *Engine, steps int)
TEXT ·mixedThree(SB), NOSPLIT, $0-16
	LANES3(MIXED3)

// func mixedFour(e *Engine, steps int)
TEXT ·mixedFour(SB), NOSPLIT, $0-16
	LANES4(MIXED4)
