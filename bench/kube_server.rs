//! The API server of the tests, for `bench/rollouts.py`: prints its port and its kubeconfig as one line of JSON, and ends
//! when its stdin is closed. With `KUBEBUILDER_ASSETS` it is a real one.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{self, Read as _, Write as _};

use serde_json::json;

use crate::support::Kube;

fn main() -> io::Result<()> {
    let kube = Kube::start();
    let line = json!({ "port": kube.port(), "kubeconfig": kube.kubeconfig() });
    writeln!(io::stdout(), "{line}")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
