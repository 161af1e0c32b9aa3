// Package interop is what the Go clients' programs share: the access log, the cases, and how a result is told.
package interop

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"
)

const (
	// Deadline is how long a case waits for one thing.
	Deadline = 60 * time.Second
	// MiB is the size of a large record.
	MiB = 1 << 20
)

// Codecs are the compressions of Kafka.
var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// Run is one client's run: its options, the lines, and a line per case.
type Run struct {
	Client    string
	Bootstrap string
	Lines     []string
	tag       string
	seen      string
	only      string
	cases     int
	// Member is what a member of a group is told; its Topic is empty where the cases are to run.
	Member struct {
		Topic, Group, Kind, Instance string
		Session                      time.Duration
		Regex                        bool
	}
}

// NewRun takes the options from the command line.
func NewRun(client string) *Run {
	run := &Run{Client: client}
	flag.StringVar(&run.Bootstrap, "bootstrap", "", "HOST:PORT of the broker")
	flag.StringVar(&run.tag, "tag", "", "part of each topic's name, new for each run")
	flag.StringVar(&run.seen, "seen", "", "what the recording proxy saw")
	flag.StringVar(&run.only, "case", "", "only the cases whose name holds this")
	flag.StringVar(&run.Member.Topic, "member", "", "be a member of a group that consumes this topic, run no cases")
	flag.StringVar(&run.Member.Group, "group", "", "the member's group")
	flag.StringVar(&run.Member.Kind, "kind", "eager", "eager, cooperative or consumer")
	flag.StringVar(&run.Member.Instance, "instance", "", "the static member's id")
	session := flag.Int("session", 0, "milliseconds of the member's session")
	flag.BoolVar(&run.Member.Regex, "regex", false, "the topic is an expression")
	log := flag.String("log", "", "the gzipped access log")
	flag.Parse()
	run.Member.Session = time.Duration(*session) * time.Millisecond
	run.Lines = linesOf(*log)
	return run
}

// Mebibyte is a value of 1 MiB.
func Mebibyte() []byte {
	value := make([]byte, MiB)
	for at := range value {
		value[at] = byte(at * 31 >> 3)
	}
	return value
}

func linesOf(path string) []string {
	file := Must(os.Open(path))
	defer file.Close()
	scanner := bufio.NewScanner(Must(gzip.NewReader(file)))
	var lines []string
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	Check(scanner.Err())
	return lines
}

// Topic is the name of a topic of this run.
func (run *Run) Topic(name string) string {
	return fmt.Sprintf("interop-%s-%s-%s", run.tag, run.Client, name)
}

// Case runs one case; a panic is its failure, so that the bodies read as what should happen.
func (run *Run) Case(name string, body func()) {
	if !strings.Contains(name, run.only) {
		return
	}
	run.cases++
	start := time.Now()
	defer func() {
		if failure := recover(); failure != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", name, failure, debug.Stack())
			fmt.Printf("FAIL %s: %s: %v\n", run.Client, name, failure)
			return
		}
		fmt.Printf("ok   %s: %s (%.1f s)\n", run.Client, name, time.Since(start).Seconds())
	}()
	body()
}

// Main is a member of a group, or runs the cases.
func (run *Run) Main(member, cases func()) {
	if run.Member.Topic != "" {
		member()
		return
	}
	cases()
	fmt.Printf("done %s: %d cases\n", run.Client, run.cases)
}

// CheckCodec fails unless the proxy, where there is one, saw this client id produce with this compression. Batches that
// would not shrink, such as a first one of a single line, go out uncompressed.
func (run *Run) CheckCodec(clientID, codec string) {
	if run.seen == "" {
		return
	}
	found := map[string]bool{}
	for _, row := range strings.Split(strings.TrimSpace(string(Must(os.ReadFile(run.seen)))), "\n") {
		var seen struct{ Client, Codec string }
		Check(json.Unmarshal([]byte(row), &seen))
		if seen.Client == clientID && seen.Codec != "" {
			found[seen.Codec] = true
		}
	}
	if len(found) > 1 {
		delete(found, "none")
	}
	Same(map[string]bool{codec: true}, found, "compression that "+clientID+" produced with")
}

// CheckSize fails unless a log of all lines, not compressed, has about this size.
func (run *Run) CheckSize(bytes int64) {
	least := int64(0)
	for _, line := range run.Lines {
		least += int64(len(line))
	}
	Same(true, bytes > least && bytes < 2*least, fmt.Sprintf("%d bytes on disk for lines of %d", bytes, least))
}

// Check fails the case with the error, if there is one.
func Check(err error) {
	if err != nil {
		panic(err)
	}
}

// Must is the value, unless there is an error.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

// Same fails with a short account unless both are equal.
func Same[T any](expected, actual T, what string) {
	if !reflect.DeepEqual(expected, actual) {
		panic(fmt.Sprintf("%s: %.300s expected, %.300s came", what, fmt.Sprint(expected), fmt.Sprint(actual)))
	}
}

// SameLines tells the first difference of two lists.
func SameLines(expected, actual []string, what string) {
	for at := range min(len(expected), len(actual)) {
		Same(expected[at], actual[at], fmt.Sprintf("%s at %d", what, at))
	}
	Same(len(expected), len(actual), "number of "+what)
}

// Until waits for the condition; fails when it never comes.
func Until(what string, condition func() bool) {
	for end := time.Now().Add(Deadline); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			panic(fmt.Sprintf("%s: not within %s", what, Deadline))
		}
	}
}
