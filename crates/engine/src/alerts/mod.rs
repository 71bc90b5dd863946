//! Alerts with the evidence of whom they page.

pub mod evidence;
