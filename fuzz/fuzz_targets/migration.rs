//! A file of migrations in each dialect: split, read, judged, and written anew.
#![no_main]

use liveops_domain::check::migration::Dialect;
use liveops_domain::check::migration::fix::fix;
use liveops_domain::check::migration::fold::{Options, check};
use liveops_domain::check::migration::layout::Source;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data).into_owned();
    let sources = [Source { path: "m/1.sql".into(), text, judged: true }];
    for dialect in [Dialect::Postgres, Dialect::Mysql, Dialect::Mariadb] {
        let options = Options { dialect: Some(dialect), ..Options::default() };
        let report = check(&sources, &options);
        fix(&sources, &options, &report);
    }
});
