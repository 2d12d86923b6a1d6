package fiberjwt

// ProvedKinds counts the keys that an Auth without Entities has remembered.
func ProvedKinds(a *Auth) int {
	n := 0
	a.tokens.signatures.secrets.proved.Range(func(any, any) bool { n++; return true })
	return n
}
