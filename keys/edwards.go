package keys

import (
	"bytes"
	"crypto/ed25519"
	"math/big"
	"slices"
)

// onCurve reports whether public is a point of the curve; half of all y belong to
// no point. On Edwards25519 (RFC 8032 §5.1.3) x² is (y²-1) / (dy²+1), with d =
// -121665/121666. A quotient is a square exactly if the product is one.
func onCurve(public ed25519.PublicKey) bool {
	bigEndian := bytes.Clone(public)
	bigEndian[31] &= 0x7f // the sign of x
	slices.Reverse(bigEndian)
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	square := new(big.Int).SetBytes(bigEndian)
	square.Mul(square, square).Mod(square, prime)
	above := new(big.Int).Sub(square, big.NewInt(1))
	above.Mul(above, big.NewInt(121666))
	below := new(big.Int).Mul(square, big.NewInt(-121665))
	below.Add(below, big.NewInt(121666))
	return big.Jacobi(above.Mul(above, below), prime) >= 0
}

// smallOrder reports whether public is one of the eight points of Edwards25519
// whose order divides eight, in any encoding. For such a key a signature can be
// made without a private key. All zeros, the value of a key before it is filled in,
// is one of them.
func smallOrder(public ed25519.PublicKey) bool {
	unsigned := bytes.Clone(public)
	unsigned[31] &= 0x7f
	first, last := unsigned[0], unsigned[31]
	middle := unsigned[1:31]
	switch {
	case first <= 1 && last == 0 && bytes.Count(middle, []byte{0}) == 30: // y is 0 or 1
		return true
	case first >= 0xec && last == 0x7f && bytes.Count(middle, []byte{0xff}) == 30: // y is -1, or 0 or 1 plus the prime
		return true
	}
	return bytes.Equal(unsigned, order8[0]) || bytes.Equal(unsigned, order8[1])
}

// order8 are the y coordinates of the points of order eight.
var order8 = [2][]byte{
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
}
