package throttle

import (
	"encoding/binary"
	"errors"
)

// The format of a record is
//
//	version 1 · clear · until · spent · settled · pending… · known… · since
//
// in varints. pending and known begin with their number, and each entry begins with
// its identifier of 8 bytes. A zero counter has no bytes.
const recordVersion = 1

// errRecord is the error for a record that this version of the library cannot read. The
// counter is then unknown, so the attempt is not made.
var errRecord = errors.New("fiberjwt: a record of failed sign-ins is damaged, or a newer version wrote it")

func (c *counter) encode() []byte {
	b := []byte{recordVersion}
	for _, n := range []int64{c.clear, c.until, c.spent} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, c.settled)
	b = binary.AppendUvarint(b, uint64(len(c.pending)))
	for _, p := range c.pending {
		b = append(b, p.id[:]...)
		b = binary.AppendVarint(b, p.deadline)
		b = binary.AppendUvarint(b, p.settled)
	}
	b = binary.AppendUvarint(b, uint64(len(c.known)))
	for _, k := range c.known {
		b = append(b, k.tag[:]...)
		b = binary.AppendVarint(b, k.day)
	}
	return binary.AppendVarint(b, c.since)
}

func decode(b []byte) (c counter, err error) {
	if len(b) == 0 {
		return counter{}, nil
	}
	r := reader{b: b[1:], failed: b[0] != recordVersion}
	c.clear, c.until, c.spent, c.settled = r.number(), r.number(), r.number(), r.count()
	for n := r.count(); n > 0 && !r.failed; n-- {
		c.pending = append(c.pending, pending{id: r.id(), deadline: r.number(), settled: r.count()})
	}
	for n := r.count(); n > 0 && !r.failed; n-- {
		c.known = append(c.known, known{tag: r.id(), day: r.number()})
	}
	c.since = r.number()
	if r.failed || len(r.b) > 0 {
		return counter{}, errRecord
	}
	return c, nil
}

// reader reads the parts of a record. At the first missing part it sets failed, and from
// then on it returns zeros.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) number() int64 {
	n, length := binary.Varint(r.b)
	r.skip(length)
	return n
}

func (r *reader) count() uint64 {
	n, length := binary.Uvarint(r.b)
	r.skip(length)
	return n
}

func (r *reader) id() (id [8]byte) {
	r.skip(copy(id[:], r.b))
	return id
}

func (r *reader) skip(length int) {
	if length <= 0 || r.failed {
		r.failed, r.b = true, nil
		return
	}
	r.b = r.b[length:]
}
