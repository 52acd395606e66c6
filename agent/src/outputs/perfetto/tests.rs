//! Tests of the trace as a whole.
