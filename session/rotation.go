package session

// Outcome is the result of presenting a refresh token.
type Outcome int

// The outcomes, in the order in which [Decide] looks for them. The numbers are
// part of the SQL statements.
const (
	Gone     Outcome = iota // there is no such session, or it has ended
	Heal                    // the client has a newer generation, because the store lost a commit; the row takes it over
	Same                    // too young to rotate: the client gets an access token only
	Rotate                  // the next generation
	Converge                // another tab was first, or an answer was lost: the same child again
	Rearm                   // the same, later: the grace period starts again
	Replace                 // the child was never used: invalidate it, make another
	Reuse                   // the child was used: the token was probably stolen, the session ends
)

// String returns the name of the outcome, "unknown" for any other number.
func (o Outcome) String() string {
	names := [...]string{"gone", "heal", "same", "rotate", "converge", "rearm", "replace", "reuse"}
	if o < 0 || int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// Writes reports whether the outcome changes the row.
func (o Outcome) Writes() bool { return o != Gone && o != Same && o != Converge }

// Rotates reports whether the client gets a refresh token.
func (o Outcome) Rotates() bool { return o == Rotate || o == Converge || o == Rearm || o == Replace }

// reused is the Prev of a session that a Reuse has ended. The SQL statements
// contain it, too.
const reused = -2

// Reused reports whether a Reuse has ended the session. The store may have lost the
// answer to that call, so each later refresh of the session reports the theft
// again.
func (r Row) Reused() bool { return r.Revoked != 0 && r.Prev == reused }

// Decide is the rule of rotation: it returns what presenting generation g at now
// does to a session, with the row afterwards. It is a pure function, so that tests
// can explore every interleaving; every store must store the same row, and return
// the same outcome except where [Store].Refresh allows another. The caller must
// have verified the refresh token, so g is a generation that was issued before.
func Decide(row Row, g, now int64, t Times) (Row, Outcome) {
	age := now - row.Issued
	switch {
	case !row.Alive(now):
		return row, Gone
	case g > row.Gen:
		return row.advance(g, row.Gen, now, t), Heal
	case g == row.Gen && age < t.Age.Milliseconds():
		return row, Same
	case g == row.Gen:
		return row.advance(g+1, g, now, t), Rotate
	case g == row.Prev && age < t.Grace.Milliseconds():
		return row, Converge
	case g == row.Prev && age < t.Rearm.Milliseconds():
		return row.advance(row.Gen, row.Prev, now, t), Rearm
	case g == row.Prev:
		return row.advance(row.Gen+1, row.Prev, now, t), Replace
	}
	row.Revoked, row.Prev = now, reused
	return row, Reuse
}

// advance returns the row with the next generation. Ends, the absolute deadline,
// never moves.
func (r Row) advance(gen, prev, now int64, t Times) Row {
	r.Gen, r.Prev, r.Issued = gen, prev, now
	r.IdleUntil = min(now+t.Idle.Milliseconds(), r.Ends)
	return r
}
