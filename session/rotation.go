package session

// Outcome of presenting a refresh token.
type Outcome int

// The outcomes, in the order in which [Decide] looks for them. The numbers are
// part of the SQL statements.
const (
	Gone     Outcome = iota // no such session, or it has ended
	Heal                    // the store lost a commit: take over the client's generation
	Same                    // too young to rotate: an access token only
	Rotate                  // the next generation
	Converge                // a racing tab or a lost answer: the same child again
	Rearm                   // likewise, late: restart the grace
	Replace                 // the child was never used: burn it, make another
	Reuse                   // the child was used: one of two holders is a thief
)

// String names the outcome.
func (o Outcome) String() string {
	names := [...]string{"gone", "heal", "same", "rotate", "converge", "rearm", "replace", "reuse"}
	if o < 0 || int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// Writes says that the outcome changes the row.
func (o Outcome) Writes() bool { return o != Gone && o != Same && o != Converge }

// Rotates says that the client gets a refresh token.
func (o Outcome) Rotates() bool { return o == Rotate || o == Converge || o == Rearm || o == Replace }

// reused is the Prev of a session that a Reuse has ended. The statements know
// it, too.
const reused = -2

// Reused says that a Reuse has ended the session. The store may have lost the
// answer to that one, so the theft is told again to whoever comes next.
func (r Row) Reused() bool { return r.Revoked != 0 && r.Prev == reused }

// Decide is the rule of rotation: what presenting generation g at now does to a
// session. It is pure, so that every interleaving can be explored, and every
// store must equal it. The row it returns is the row afterwards. The caller
// verified the token before, so g was handed out once.
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

// advance moves the row on. Ends, the absolute deadline, never moves.
func (r Row) advance(gen, prev, now int64, t Times) Row {
	r.Gen, r.Prev, r.Issued = gen, prev, now
	r.IdleUntil = min(now+t.Idle.Milliseconds(), r.Ends)
	return r
}
