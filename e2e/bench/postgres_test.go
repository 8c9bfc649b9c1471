package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/storage/storagetest"
)

// rareCheckpoints keep the images of whole pages, which follow each checkpoint, out of a
// measurement.
const rareCheckpoints = "-c checkpoint_timeout=1h -c max_wal_size=8GB"

// postgres is a PostgreSQL server with an empty database. Its commits are durable.
type postgres struct {
	address string
	pid     int // of the postmaster
	conn    *pgx.Conn
}

func newPostgres(tb testing.TB, settings ...string) *postgres {
	tb.Helper()
	address, dir := storagetest.OwnPostgres(tb, append(settings, rareCheckpoints)...)
	p := &postgres{address: address}
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &p.pid); err != nil {
		tb.Fatal(err)
	}
	if p.conn, err = pgx.Connect(context.Background(), address); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.conn.Close(context.Background()) })
	return p
}

// databaseUsage is what a PostgreSQL server has used since its start.
type databaseUsage struct {
	CPU time.Duration // of all its processes, those that ended included
	WAL int64         // bytes
}

func (p *postgres) used() (databaseUsage, error) {
	var u databaseUsage
	if err := p.conn.QueryRow(context.Background(), "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&u.WAL); err != nil {
		return u, err
	}
	var err error
	u.CPU, err = treeCPU("/proc", p.pid)
	return u, err
}

// tick is the unit of times in /proc/PID/stat.
const tick = time.Second / 100

// treeCPU returns the CPU time of a process and its children, those that ended included.
func treeCPU(proc string, pid int) (time.Duration, error) {
	files, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat"))
	if err != nil {
		return 0, err
	}
	var ticks int64
	found := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		own, parent, fields, err := parseStat(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		switch pid {
		case own:
			found = true
			ticks += fields[0] + fields[1] + fields[2] + fields[3]
		case parent:
			ticks += fields[0] + fields[1]
		}
	}
	if !found {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return time.Duration(ticks) * tick, nil
}

// parseStat returns process, parent, and utime, stime, cutime and cstime of a
// /proc/PID/stat. The name, in parentheses, may have spaces and parentheses.
func parseStat(text string) (pid, parent int, times [4]int64, err error) {
	head, tail, _ := strings.Cut(text, " ")
	if pid, err = strconv.Atoi(head); err != nil {
		return pid, parent, times, err
	}
	fields := strings.Fields(tail[strings.LastIndexByte(tail, ')')+1:])
	if len(fields) < 15 {
		return pid, parent, times, fmt.Errorf("%q has no times", text)
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return pid, parent, times, err
	}
	for i := range times {
		if times[i], err = strconv.ParseInt(fields[11+i], 10, 64); err != nil {
			return pid, parent, times, err
		}
	}
	return pid, parent, times, nil
}
