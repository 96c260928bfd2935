"""The edges: wire dialects over HTTP. The only place that knows Litestar."""
