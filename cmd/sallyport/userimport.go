package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/admin"
)

func userImport(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user import", "create the users of a file, one a line", "FILE [flags]",
		"Each line is a JSON object with the keys of users[] in docs/desired-state.md. Users who exist are\n"+
			"not changed. Lines that are refused go to FILE.refused, and keep no other from being imported.\n"+
			"FILE.progress says how far it got: run the command again to continue after an interruption.")
	parallel := f.Int("parallel", 8, "`number` of users that are created at the same time, from 1 to 64")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	if *parallel < 1 || *parallel > 64 {
		return cli.UsageError("user import: --parallel: want from 1 to 64")
	}
	i := &userImporter{connection: d, file: f.Arg(0), parallel: *parallel}
	if err := i.open(); err != nil {
		return err
	}
	defer i.close()
	if err := i.run(ctx); err != nil {
		return fmt.Errorf("import %s: %w; %d users are created, run it again to continue", cli.Printable(i.file), err, i.at.Created)
	}
	if err := d.print(i.at.result(), func(w io.Writer) {
		fmt.Fprintf(w, "created %d users, refused %d lines\n", i.at.Created, i.at.Refused)
	}); err != nil {
		return err
	}
	if i.at.Refused > 0 {
		return fmt.Errorf("%d lines of %s are refused: they are in %s, and why is above", i.at.Refused, cli.Printable(i.file), cli.Printable(i.file+".refused"))
	}
	return nil
}

// importProgress is how far an import got.
type importProgress struct {
	Run          string `json:"run"` // random: the IDs of its users are derived from it
	Size         int64  `json:"size"`
	Offset       int64  `json:"offset"` // every line before it is done
	Line         int    `json:"line"`
	Created      int    `json:"created"`
	Refused      int    `json:"refused"`
	RefusedBytes int64  `json:"refused_bytes"`
}

type importResult struct {
	Created int `json:"created"`
	Refused int `json:"refused"`
}

func (a importProgress) result() importResult { return importResult{a.Created, a.Refused} }

// userImporter imports a file in batches: the lines of one are sent in parallel, then the progress
// is saved. What a batch had done before an interruption is recognized by its users' IDs.
type userImporter struct {
	*connection
	file     string
	parallel int
	in       *os.File
	refused  *os.File
	at       importProgress
	began    time.Time
	first    int64 // offset at which this process began
	lines    int   // of this process
	shown    time.Time
}

const (
	importBatch = 512
	importLine  = 1 << 20 // bytes of the longest line
)

// open opens the files and reads the progress.
func (i *userImporter) open() error {
	var err error
	if i.in, err = os.Open(i.file); err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	info, err := i.in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file, which an import could continue", cli.Printable(i.file))
	}
	text, err := os.ReadFile(i.file + ".progress")
	switch {
	case errors.Is(err, os.ErrNotExist):
		var run [16]byte
		if _, err := io.ReadFull(i.p.Random, run[:]); err != nil {
			return err
		}
		i.at = importProgress{Run: hex.EncodeToString(run[:]), Size: info.Size()}
	case err != nil:
		return fmt.Errorf("read progress: %w", err)
	default:
		if err := json.Unmarshal(text, &i.at); err != nil || i.at.Run == "" {
			return fmt.Errorf("%s.progress is not that of an import; remove it to begin again", cli.Printable(i.file))
		}
	}
	if i.at.Size != info.Size() {
		return fmt.Errorf("%s has changed since the import began; restore it, or remove %s.progress to begin again", cli.Printable(i.file), cli.Printable(i.file))
	}
	if _, err := i.in.Seek(i.at.Offset, io.SeekStart); err != nil {
		return err
	}
	if i.refused, err = os.OpenFile(i.file+".refused", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("write refused lines: %w", err)
	}
	// What an interrupted batch wrote there is written again.
	if err := i.refused.Truncate(i.at.RefusedBytes); err != nil {
		return err
	}
	_, err = i.refused.Seek(0, io.SeekEnd)
	return err
}

func (i *userImporter) close() {
	_ = i.in.Close()
	_ = i.refused.Close()
	if i.at.RefusedBytes == 0 {
		_ = os.Remove(i.file + ".refused")
	}
}

// importedLine is a line and what became of it.
type importedLine struct {
	text   []byte
	number int
	offset int64
	reason string // why it is refused; "": it is not
}

func (i *userImporter) run(ctx context.Context) error {
	r := bufio.NewReaderSize(i.in, 64<<10)
	i.began, i.shown, i.first = i.p.Now(), i.p.Now(), i.at.Offset
	if err := i.save(); err != nil { // before the first user: the next run must derive the same IDs
		return err
	}
	offset, number := i.at.Offset, i.at.Line
	for {
		var batch []importedLine
		var ended bool
		for len(batch) < importBatch && !ended {
			text, err := readLine(r)
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("line %d: %w", number+1, err)
			}
			ended = err != nil
			if len(text) > 0 {
				number++
			}
			if len(bytes.TrimSpace(text)) > 0 {
				batch = append(batch, importedLine{text: text, number: number, offset: offset})
			}
			offset += int64(len(text))
		}
		if err := i.send(ctx, batch); err != nil {
			return err
		}
		i.at.Offset, i.at.Line = offset, number
		if err := i.finish(batch); err != nil {
			return err
		}
		i.show(len(batch))
		if ended {
			return nil
		}
	}
}

// readLine returns a line with its ending; io.EOF with the last one.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > importLine {
			return nil, fmt.Errorf("longer than %d bytes", importLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// send creates the users of a batch.
func (i *userImporter) send(ctx context.Context, batch []importedLine) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan *importedLine)
	var all sync.WaitGroup
	for range i.parallel {
		all.Go(func() {
			for l := range next {
				if err := i.create(ctx, l); err != nil {
					stop(err)
				}
			}
		})
	}
	for k := range batch {
		next <- &batch[k]
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

// patience is how long an import waits for a server that does not answer, or has too much to do.
const importPatience = 2 * time.Minute

// create creates the user of a line. An error ends the import; what a line is refused for does not.
func (i *userImporter) create(ctx context.Context, l *importedLine) error {
	var user map[string]json.RawMessage
	if err := json.Unmarshal(l.text, &user); err != nil || user == nil {
		l.reason = "not a JSON object"
		return ctx.Err()
	}
	id := i.id(l.offset)
	given, own := user["id"]
	if own {
		id = ""
		_ = json.Unmarshal(given, &id)
		if _, ok := storage.Bytes(id); !ok {
			l.reason = fmt.Sprintf("line %d: id: must be an id", l.number)
			return ctx.Err()
		}
	} else {
		user["id"] = json.RawMessage(`"` + id + `"`)
	}
	for wait, began := time.Second, i.p.Now(); ; wait = min(2*wait, 10*time.Second) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var done admin.Done
		err := i.Call(ctx, http.MethodPost, "/users", nil, user, &done)
		if err == nil {
			return nil
		}
		if statusOf(err) == http.StatusConflict {
			there, broken := i.created(ctx, id, user, own)
			if broken != nil {
				err = broken
			} else if there {
				return nil
			}
		}
		var refusal *adminclient.Problem
		known := errors.As(err, &refusal)
		switch {
		case known && refusal.Status < http.StatusInternalServerError && refusal.Status != http.StatusTooManyRequests &&
			refusal.Status != http.StatusUnauthorized && refusal.Status != http.StatusForbidden:
			l.reason = withSubjectEach(err, fmt.Sprintf("line %d", l.number)).Error()
			return nil
		case known && refusal.Status < http.StatusInternalServerError && refusal.Status != http.StatusTooManyRequests,
			i.p.Now().Sub(began) > importPatience:
			return err
		}
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// id derives the ID of the user of the line at an offset, the same in every run of this import.
func (i *userImporter) id(offset int64) storage.UserID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", i.at.Run, offset))
	return storage.FromBytes[storage.UserID]([16]byte(sum[:16]))
}

// created reports whether an earlier call created the user of a line: one with an ID of its own may
// be somebody else. A change of nothing responds only once what it found would survive a failover.
func (i *userImporter) created(ctx context.Context, id storage.UserID, line map[string]json.RawMessage, own bool) (bool, error) {
	var user admin.User
	path := "/users/" + string(id)
	if err := i.Get(ctx, path, nil, &user); err != nil {
		if statusOf(err) == http.StatusNotFound {
			return false, nil
		}
		return false, err
	}
	if own && !isNamed(user, line) {
		return false, nil
	}
	var done admin.Done
	err := i.Call(ctx, http.MethodPatch, path, nil, struct{}{}, &done)
	return err == nil, err
}

// isNamed reports whether a user has all names of a line.
func isNamed(user admin.User, line map[string]json.RawMessage) bool {
	for key, kind := range map[string]storage.IdentifierKind{"username": storage.Username, "email": storage.Email, "phone_number": storage.Phone} {
		var name string
		_ = json.Unmarshal(line[key], &name)
		if name != "" && !slices.ContainsFunc(user.Names, func(n admin.Name) bool { return n.Kind == kind && mfa.Fold(n.Value) == mfa.Fold(name) }) {
			return false
		}
	}
	return true
}

// statusOf returns the status of a refusal, or 0.
func statusOf(err error) int {
	var refusal *adminclient.Problem
	if errors.As(err, &refusal) {
		return refusal.Status
	}
	return 0
}

// finish records what became of a batch, refused lines before the progress.
func (i *userImporter) finish(batch []importedLine) error {
	for _, l := range batch {
		if l.reason == "" {
			i.at.Created++
			continue
		}
		i.at.Refused++
		fmt.Fprintln(i.p.Err, l.reason)
		n, err := i.refused.Write(append(bytes.TrimRight(l.text, "\r\n"), '\n'))
		if err != nil {
			return fmt.Errorf("write refused lines: %w", err)
		}
		i.at.RefusedBytes += int64(n)
	}
	return i.save()
}

// save replaces the file of the progress as a whole.
func (i *userImporter) save() error {
	text, err := json.Marshal(i.at)
	if err != nil {
		return err
	}
	path := i.file + ".progress"
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	return nil
}

// show says every five seconds how far the import is.
func (i *userImporter) show(lines int) {
	i.lines += lines
	now := i.p.Now()
	if now.Sub(i.shown) < 5*time.Second {
		return
	}
	i.shown = now
	took := now.Sub(i.began)
	left := time.Duration(float64(took) * float64(i.at.Size-i.at.Offset) / float64(i.at.Offset-i.first))
	fmt.Fprintf(i.p.Err, "%d users, %.1f %%, %.0f a second, ends about %s\n", i.at.Created, 100*float64(i.at.Offset)/float64(i.at.Size),
		float64(i.lines)/took.Seconds(), now.Add(left).UTC().Format("2006-01-02 15:04:05 MST"))
}
