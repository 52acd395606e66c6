//! Whole sessions from made-up events: what comes out is exact, and unknown where something was
//! lost. The same is tested on a live kernel in `xtask/live/tests/live`.

mod attach;
mod function_calls;
mod losses;
mod properties;
mod script;
mod stages;
mod waiting;
