package keys

import "math/big"

// rocaPrimes are small primes modulo which 65537 generates few remainders.
var rocaPrimes = []int64{3, 5, 7, 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

// roca reports whether the modulus has the mark of a chip whose keys can be
// factored (CVE-2017-15361): modulo each of the primes it is a power of 65537.
// Another key has this mark by chance less than once in ten million.
func roca(n *big.Int) bool {
	for _, p := range rocaPrimes {
		remainder := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		if !powerOf65537(remainder, p) {
			return false
		}
	}
	return true
}

func powerOf65537(remainder, p int64) bool {
	for power, i := int64(1), int64(0); i < p; i++ {
		if power == remainder {
			return true
		}
		power = power * 65537 % p
	}
	return false
}
