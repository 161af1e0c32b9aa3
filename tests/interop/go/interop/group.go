package interop

import (
	"fmt"
	"slices"
	"sync"
)

// Row is one record that a member of a group consumed.
type Row struct {
	Partition int32
	Offset    int64
	Value     string
}

// Member is a consumer of a group. The client's side calls Take and Owns, from any goroutine.
type Member struct {
	Leave func()
	mutex sync.Mutex
	rows  []Row
	owned map[int32]bool
}

// Take notes a record.
func (member *Member) Take(partition int32, offset int64, value string) {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	member.rows = append(member.rows, Row{partition, offset, value})
}

// Owns tells which partitions the member has got, or has lost.
func (member *Member) Owns(partitions []int32, owns bool) {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	if member.owned == nil {
		member.owned = map[int32]bool{}
	}
	for _, partition := range partitions {
		if owns {
			member.owned[partition] = true
		} else {
			delete(member.owned, partition)
		}
	}
}

func (member *Member) taken() []Row {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	return slices.Clone(member.rows)
}

// Count is how many records the member took.
func (member *Member) Count() int { return len(member.taken()) }

func (member *Member) shares() bool {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	return len(member.owned) > 0 && len(member.owned) < GroupPartitions
}

// GroupOfTwo lets two members share the lines; one leaves half way, the other takes the rest. `send` produces lines over
// the partitions.
func (run *Run) GroupOfTwo(start func() *Member, send func(lines []string)) {
	first, second := start(), start()
	Until("both members have partitions", func() bool { return first.shares() && second.shares() })
	half := len(run.Lines) / 2
	send(run.Lines[:half])
	Until("half of the lines", func() bool { return len(places(first, second)) == half })
	first.Leave()
	send(run.Lines[half:])
	Until("all lines", func() bool { return len(places(first, second)) == len(run.Lines) })
	second.Leave()
	checkOrder(first.taken())
	checkOrder(second.taken())
	run.checkLines(places(first, second))
}

type place struct {
	partition int32
	offset    int64
}

func places(members ...*Member) map[place]string {
	all := map[place]string{}
	for _, member := range members {
		for _, row := range member.taken() {
			all[place{row.Partition, row.Offset}] = row.Value
		}
	}
	return all
}

// checkOrder fails unless the member took part and each partition came in order.
func checkOrder(rows []Row) {
	last := map[int32]int64{}
	for _, row := range rows {
		if before, known := last[row.Partition]; known && row.Offset <= before {
			panic(fmt.Sprintf("partition %d: offset %d after %d", row.Partition, row.Offset, before))
		}
		last[row.Partition] = row.Offset
	}
	Same(true, len(rows) > 0, "a member that consumed")
}

func (run *Run) checkLines(places map[place]string) {
	var lines []string
	for _, line := range places {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	SameLines(slices.Sorted(slices.Values(run.Lines)), lines, "lines")
}
