//! Asking PromQL: the window, the answer, and why there is none.

pub mod ask;
pub mod caret;
pub mod no_data;
pub mod result;
pub mod window;
