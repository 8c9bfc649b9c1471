package tracing

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"sallyport/cmd/sallyport/metrics"
	"sallyport/config"
)

// No request waits for its trace: spans wait in a queue, and those that do not fit are
// dropped.
const (
	Queue      = 2048
	spanBatch  = 512
	spanDelay  = 5 * time.Second  // between batches that are not full
	exportTry  = 5 * time.Second  // one attempt
	exportAll  = 10 * time.Second // a batch with its retries
	lastExport = 3 * time.Second  // all that is left when the server stops
	warnEvery  = time.Minute      // between two log records about a collector that fails
)

// exporter sends spans to the collector. It counts them, logs failures, and removes from
// spans what must not leave the server.
type exporter struct {
	sdktrace.SpanExporter
	log     *slog.Logger
	now     func() time.Time
	headers map[string]config.Secret
	warned  time.Time // no lock: one batch is sent at a time

	ended, sent, failed atomic.Int64
}

// newExporter sets every option, so that no OTEL_ variable of the environment has an effect.
func newExporter(ctx context.Context, o Options) (*exporter, error) {
	headers, err := o.Settings.ReadHeaders()
	if err != nil {
		return nil, err
	}
	plain := map[string]string{}
	for name, value := range headers {
		plain[name] = value.Reveal()
	}
	// Following a redirect would send the headers, which may hold a key, to another host.
	client := &http.Client{Timeout: exportTry, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: exportTry, IdleConnTimeout: time.Minute, MaxIdleConns: 2},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	out, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target(o.Settings.Endpoint)), otlptracehttp.WithHeaders(plain),
		otlptracehttp.WithHTTPClient(client), otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithTimeout(exportTry),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: exportTry, MaxElapsedTime: exportAll}))
	if err != nil {
		return nil, err
	}
	return &exporter{SpanExporter: out, log: o.Log, now: o.Now, headers: headers}, nil
}

// target adds the default path to an endpoint that has none (OTLP, section OTLP/HTTP Request).
func target(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return endpoint
	}
	return strings.TrimRight(endpoint, "/") + "/v1/traces"
}

// batches is the queue in front of the exporter.
func (x *exporter) batches() sdktrace.SpanProcessor {
	return sdktrace.NewBatchSpanProcessor(x, sdktrace.WithMaxQueueSize(Queue), sdktrace.WithMaxExportBatchSize(spanBatch),
		sdktrace.WithBatchTimeout(spanDelay), sdktrace.WithExportTimeout(exportAll))
}

// ExportSpans implements sdktrace.SpanExporter.
func (x *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	out := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		out[i] = exportedSpan{s}
	}
	err := x.SpanExporter.ExportSpans(ctx, out)
	if err == nil {
		x.sent.Add(int64(len(spans)))
		return nil
	}
	x.failed.Add(int64(len(spans)))
	if now := x.now(); now.Sub(x.warned) >= warnEvery {
		x.warned = now
		x.log.Warn("traces do not reach the collector", "error", x.clean(err.Error()), "lost", x.failed.Load())
	}
	return nil // the library would log it again, in its own format
}

// clean removes the values of the headers from the text of an error.
func (x *exporter) clean(text string) string {
	for _, value := range x.headers {
		text = strings.ReplaceAll(text, value.Reveal(), value.String())
	}
	return text
}

// spanCounter counts the spans that have ended. Those neither sent nor failed afterwards did
// not fit into the queue.
type spanCounter struct{ *exporter }

// OnStart implements sdktrace.SpanProcessor.
func (spanCounter) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (e spanCounter) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		e.ended.Add(1)
	}
}

// Shutdown implements sdktrace.SpanProcessor.
func (spanCounter) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (spanCounter) ForceFlush(context.Context) error { return nil }

// exportedSpan is a span reduced to what may leave the server. Libraries add to the span they
// run in, for example errors whose texts quote what a caller sent.
type exportedSpan struct{ sdktrace.ReadOnlySpan }

// Attributes returns those of this package: templates, numbers and IDs created here.
func (b exportedSpan) Attributes() []attribute.KeyValue {
	return slices.DeleteFunc(slices.Clone(b.ReadOnlySpan.Attributes()), func(a attribute.KeyValue) bool {
		switch a.Key {
		case attrMethod, attrRoute, attrStatus, attrCorrelation, attrDatabase:
			return false
		}
		return true
	})
}

// Events returns nothing: they hold errors and stacks.
func (exportedSpan) Events() []sdktrace.Event { return nil }

// Links returns nothing.
func (exportedSpan) Links() []sdktrace.Link { return nil }

// Status returns whether it failed, and not why: the log has that under the correlation ID.
func (b exportedSpan) Status() sdktrace.Status {
	return sdktrace.Status{Code: b.ReadOnlySpan.Status().Code}
}

// Register registers the counters of spans, which stay at zero where nothing is traced.
func (t *Tracer) Register(s metrics.Set) {
	x := new(exporter)
	if t != nil {
		x = t.out
	}
	const help = "Spans sent to the collector, by outcome."
	metrics.ReadCounter(s, "spans_ended_total", "Spans ended.", x.ended.Load)
	metrics.ReadCounter(s.With("outcome", "ok"), "spans_exported_total", help, x.sent.Load)
	metrics.ReadCounter(s.With("outcome", "failed"), "spans_exported_total", help, x.failed.Load)
}
