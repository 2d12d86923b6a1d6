package fiberjwt

// ProvedKinds counts the keys that an Auth without Entities has remembered.
func ProvedKinds(a *Auth) int { return a.service.Tokens.RememberedKinds() }
