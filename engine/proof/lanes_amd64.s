//go:build amd64 && !purego

#include "textflag.h"

// SHA-256 (FIPS 180-4) of sixteen messages side by side: every vector holds one word of the
// state, or of the message, of all sixteen.
//
//	Z0 … Z7     a … h
//	Z8 … Z23    the last sixteen words of the message schedule
//	Z24 … Z27   what is computed in between
//	Z28         byte order
//	DI state, SI base, DX at, CX blocks, R8 round constants

// SIGMA computes ROTR(x,r1) ^ ROTR(x,r2) ^ ROTR(x,r3) into Z24.
#define SIGMA(x, r1, r2, r3) \
	VPRORD     $r1, x, Z24 \
	VPRORD     $r2, x, Z25 \
	VPRORD     $r3, x, Z26 \
	VPTERNLOGD $0x96, Z26, Z25, Z24

// SIGMAS computes ROTR(x,r1) ^ ROTR(x,r2) ^ SHR(x,s) into Z24.
#define SIGMAS(x, r1, r2, s) \
	VPRORD     $r1, x, Z24 \
	VPRORD     $r2, x, Z25 \
	VPSRLD     $s, x, Z26 \
	VPTERNLOGD $0x96, Z26, Z25, Z24

// ROUND is one round with word w and the constant at k; the names move on by one from
// round to round instead of the values. 0xCA is "e ? f : g", 0xE8 the majority.
#define ROUND(a, b, c, d, e, f, g, h, w, k) \
	VPADDD       w, h, h \
	VPADDD.BCST  k(R8), h, h \
	SIGMA(e, 6, 11, 25) \
	VMOVDQA64    e, Z27 \
	VPTERNLOGD   $0xCA, g, f, Z27 \
	VPADDD       Z24, h, h \
	VPADDD       Z27, h, h \
	VPADDD       h, d, d \
	SIGMA(a, 2, 13, 22) \
	VMOVDQA64    a, Z27 \
	VPTERNLOGD   $0xE8, c, b, Z27 \
	VPADDD       Z24, h, h \
	VPADDD       Z27, h, h

// NEXT turns word t−16 of the schedule into word t.
#define NEXT(w0, w1, w9, w14) \
	SIGMAS(w1, 7, 18, 3) \
	VPADDD w9, w0, w0 \
	VPADDD Z24, w0, w0 \
	SIGMAS(w14, 17, 19, 10) \
	VPADDD Z24, w0, w0

// LOAD reads the block of one lane.
#define LOAD(lane, z) \
	MOVQ      (8*lane)(DX), AX \
	VMOVDQU32 (SI)(AX*1), z \
	VPSHUFB   Z28, z, z

// The steps of turning a matrix of sixteen by sixteen words over: two vectors exchange every
// second word, pair, four words, eight words. The result of the low half stays in x.
#define WORDS(x, y) \
	VPUNPCKLDQ y, x, Z24 \
	VPUNPCKHDQ y, x, y \
	VMOVDQA64  Z24, x

#define PAIRS(x, y) \
	VPUNPCKLQDQ y, x, Z24 \
	VPUNPCKHQDQ y, x, y \
	VMOVDQA64   Z24, x

#define QUARTERS(x, y) \
	VSHUFI32X4 $0x88, y, x, Z24 \
	VSHUFI32X4 $0xDD, y, x, y \
	VMOVDQA64  Z24, x

// ADD adds the state before the block.
#define ADD(i, z) \
	VPADDD (64*i)(DI), z, z \
	VMOVDQU32 z, (64*i)(DI)

// func hashLanes(state *laneState, base *byte, at *[lanes]uint64, blocks uint64)
TEXT ·hashLanes(SB), NOSPLIT, $0-32
	MOVQ state+0(FP), DI
	MOVQ base+8(FP), SI
	MOVQ at+16(FP), DX
	MOVQ blocks+24(FP), CX
	LEAQ ·roundConstants(SB), R8
	VMOVDQU32 ·swapBytes(SB), Z28
	VMOVDQU32 0(DI), Z0
	VMOVDQU32 64(DI), Z1
	VMOVDQU32 128(DI), Z2
	VMOVDQU32 192(DI), Z3
	VMOVDQU32 256(DI), Z4
	VMOVDQU32 320(DI), Z5
	VMOVDQU32 384(DI), Z6
	VMOVDQU32 448(DI), Z7

block:
	LOAD(0, Z8)
	LOAD(1, Z9)
	LOAD(2, Z10)
	LOAD(3, Z11)
	LOAD(4, Z12)
	LOAD(5, Z13)
	LOAD(6, Z14)
	LOAD(7, Z15)
	LOAD(8, Z16)
	LOAD(9, Z17)
	LOAD(10, Z18)
	LOAD(11, Z19)
	LOAD(12, Z20)
	LOAD(13, Z21)
	LOAD(14, Z22)
	LOAD(15, Z23)
	WORDS(Z8, Z9)
	WORDS(Z10, Z11)
	WORDS(Z12, Z13)
	WORDS(Z14, Z15)
	WORDS(Z16, Z17)
	WORDS(Z18, Z19)
	WORDS(Z20, Z21)
	WORDS(Z22, Z23)
	PAIRS(Z8, Z10)
	PAIRS(Z9, Z11)
	PAIRS(Z12, Z14)
	PAIRS(Z13, Z15)
	PAIRS(Z16, Z18)
	PAIRS(Z17, Z19)
	PAIRS(Z20, Z22)
	PAIRS(Z21, Z23)
	QUARTERS(Z8, Z12)
	QUARTERS(Z16, Z20)
	QUARTERS(Z9, Z13)
	QUARTERS(Z17, Z21)
	QUARTERS(Z10, Z14)
	QUARTERS(Z18, Z22)
	QUARTERS(Z11, Z15)
	QUARTERS(Z19, Z23)
	QUARTERS(Z8, Z16)
	QUARTERS(Z12, Z20)
	QUARTERS(Z9, Z17)
	QUARTERS(Z13, Z21)
	QUARTERS(Z10, Z18)
	QUARTERS(Z14, Z22)
	QUARTERS(Z11, Z19)
	QUARTERS(Z15, Z23)

	// Word t of the block is in Z8, Z10, Z9, Z11, Z12, Z14, Z13, Z15, Z16, Z18, Z17, Z19, Z20, Z22, Z21, Z23.
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, 0)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z10, 4)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z9, 8)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z11, 12)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z12, 16)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z14, 20)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z13, 24)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z15, 28)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z16, 32)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z18, 36)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z17, 40)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z19, 44)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z20, 48)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z22, 52)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z21, 56)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z23, 60)
	NEXT(Z8, Z10, Z18, Z21)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, 64)
	NEXT(Z10, Z9, Z17, Z23)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z10, 68)
	NEXT(Z9, Z11, Z19, Z8)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z9, 72)
	NEXT(Z11, Z12, Z20, Z10)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z11, 76)
	NEXT(Z12, Z14, Z22, Z9)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z12, 80)
	NEXT(Z14, Z13, Z21, Z11)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z14, 84)
	NEXT(Z13, Z15, Z23, Z12)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z13, 88)
	NEXT(Z15, Z16, Z8, Z14)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z15, 92)
	NEXT(Z16, Z18, Z10, Z13)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z16, 96)
	NEXT(Z18, Z17, Z9, Z15)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z18, 100)
	NEXT(Z17, Z19, Z11, Z16)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z17, 104)
	NEXT(Z19, Z20, Z12, Z18)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z19, 108)
	NEXT(Z20, Z22, Z14, Z17)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z20, 112)
	NEXT(Z22, Z21, Z13, Z19)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z22, 116)
	NEXT(Z21, Z23, Z15, Z20)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z21, 120)
	NEXT(Z23, Z8, Z16, Z22)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z23, 124)
	NEXT(Z8, Z10, Z18, Z21)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, 128)
	NEXT(Z10, Z9, Z17, Z23)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z10, 132)
	NEXT(Z9, Z11, Z19, Z8)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z9, 136)
	NEXT(Z11, Z12, Z20, Z10)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z11, 140)
	NEXT(Z12, Z14, Z22, Z9)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z12, 144)
	NEXT(Z14, Z13, Z21, Z11)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z14, 148)
	NEXT(Z13, Z15, Z23, Z12)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z13, 152)
	NEXT(Z15, Z16, Z8, Z14)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z15, 156)
	NEXT(Z16, Z18, Z10, Z13)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z16, 160)
	NEXT(Z18, Z17, Z9, Z15)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z18, 164)
	NEXT(Z17, Z19, Z11, Z16)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z17, 168)
	NEXT(Z19, Z20, Z12, Z18)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z19, 172)
	NEXT(Z20, Z22, Z14, Z17)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z20, 176)
	NEXT(Z22, Z21, Z13, Z19)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z22, 180)
	NEXT(Z21, Z23, Z15, Z20)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z21, 184)
	NEXT(Z23, Z8, Z16, Z22)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z23, 188)
	NEXT(Z8, Z10, Z18, Z21)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, 192)
	NEXT(Z10, Z9, Z17, Z23)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z10, 196)
	NEXT(Z9, Z11, Z19, Z8)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z9, 200)
	NEXT(Z11, Z12, Z20, Z10)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z11, 204)
	NEXT(Z12, Z14, Z22, Z9)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z12, 208)
	NEXT(Z14, Z13, Z21, Z11)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z14, 212)
	NEXT(Z13, Z15, Z23, Z12)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z13, 216)
	NEXT(Z15, Z16, Z8, Z14)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z15, 220)
	NEXT(Z16, Z18, Z10, Z13)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z16, 224)
	NEXT(Z18, Z17, Z9, Z15)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z18, 228)
	NEXT(Z17, Z19, Z11, Z16)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z17, 232)
	NEXT(Z19, Z20, Z12, Z18)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z19, 236)
	NEXT(Z20, Z22, Z14, Z17)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z20, 240)
	NEXT(Z22, Z21, Z13, Z19)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z22, 244)
	NEXT(Z21, Z23, Z15, Z20)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z21, 248)
	NEXT(Z23, Z8, Z16, Z22)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z23, 252)

	ADD(0, Z0)
	ADD(1, Z1)
	ADD(2, Z2)
	ADD(3, Z3)
	ADD(4, Z4)
	ADD(5, Z5)
	ADD(6, Z6)
	ADD(7, Z7)
	ADDQ $64, SI
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET
