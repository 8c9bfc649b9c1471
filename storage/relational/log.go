package relational

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm/logger"
)

const slow = 250 * time.Millisecond

// slowLog logs slow statements, without their parameters. Errors are returned and logged by
// callers.
type slowLog struct{ log *slog.Logger }

func (l slowLog) LogMode(logger.LogLevel) logger.Interface      { return l }
func (l slowLog) Info(context.Context, string, ...any)          {}
func (l slowLog) Warn(ctx context.Context, s string, _ ...any)  { l.log.WarnContext(ctx, s) }
func (l slowLog) Error(ctx context.Context, s string, _ ...any) { l.log.ErrorContext(ctx, s) }

// ParamsFilter keeps parameters out of statements that GORM formats.
func (l slowLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}

func (l slowLog) Trace(ctx context.Context, begin time.Time, statement func() (string, int64), _ error) {
	if took := time.Since(begin); took > slow {
		text, _ := statement()
		l.log.WarnContext(ctx, "slow statement", "took", took, "statement", text)
	}
}
