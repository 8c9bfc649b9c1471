// Package tracing sends spans of requests, and of what they wait for, to a collector.
package tracing

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"sallyport/config"
	"sallyport/storage"
	"sallyport/web"
)

// Attributes of spans. The exporter removes all others.
const (
	attrMethod      = attribute.Key("http.request.method")
	attrRoute       = attribute.Key("http.route")
	attrStatus      = attribute.Key("http.response.status_code")
	attrCorrelation = attribute.Key("sallyport.correlation_id")
	attrDatabase    = attribute.Key("db.system.name")
)

// Tracer creates spans of requests and of what they wait for. A server without a collector
// has a nil Tracer, of which only Close and Register are called.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	out      *exporter
	database attribute.KeyValue
}

// Options are what a Tracer needs.
type Options struct {
	Settings    config.Tracing
	Environment string
	SQLite      bool // the database is SQLite
	Now         func() time.Time
	Random      io.Reader
	Log         *slog.Logger
}

// New returns a tracer for the collector of the settings.
func New(ctx context.Context, o Options) (*Tracer, error) {
	out, err := newExporter(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	about, err := describe(o)
	if err != nil {
		return nil, errors.Join(err, out.Shutdown(ctx))
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.Settings.SampleRatio))),
		sdktrace.WithSpanProcessor(spanCounter{out}), sdktrace.WithSpanProcessor(out.batches()))
	database := "postgresql"
	if o.SQLite {
		database = "sqlite"
	}
	return &Tracer{provider, provider.Tracer("sallyport"), out, attrDatabase.String(database)}, nil
}

// describe returns what identifies this server.
func describe(o Options) (*resource.Resource, error) {
	var id [8]byte
	if _, err := io.ReadFull(o.Random, id[:]); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	return resource.NewSchemaless(attribute.String("service.name", "sallyport"), attribute.String("service.version", version),
		attribute.String("service.instance.id", hex.EncodeToString(id[:])),
		attribute.String("deployment.environment.name", o.Environment)), nil
}

// Request begins the span of a request. Only a trusted proxy's trace is continued: any other
// caller could have requests traced at will, or placed into a trace that is not theirs.
func (t *Tracer) Request(ctx context.Context, in web.Inbound) (context.Context, func(code int)) {
	if in.Parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": in.Parent})
	}
	ctx, span := t.tracer.Start(ctx, in.Method+" "+in.Route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attrMethod.String(in.Method), attrRoute.String(in.Route), attrCorrelation.String(in.Correlation)))
	return ctx, func(code int) {
		span.SetAttributes(attrStatus.Int(code))
		if code >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Call begins the span of a storage call, if it is part of a trace. A conflict and a record
// that does not exist are not failures.
func (t *Tracer) Call(ctx context.Context, operation string) func(error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return func(error) {}
	}
	_, span := t.tracer.Start(ctx, operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(t.database))
	return func(err error) {
		if err != nil && !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrNotFound) {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Work begins the span of a computation of this process, if it is part of a trace.
func (t *Tracer) Work(ctx context.Context, operation string) func() {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return func() {}
	}
	_, span := t.tracer.Start(ctx, operation)
	return func() { span.End() }
}

// Close sends what is left, and waits only as long as a stopping server can.
func (t *Tracer) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastExport)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// LogHandler adds the ID of the trace to records that are logged within one.
type LogHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h LogHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return LogHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h LogHandler) WithGroup(name string) slog.Handler { return LogHandler{h.Handler.WithGroup(name)} }
