//! The bytes of a flag: every question and every edit takes them, or says why not; what an edit makes reads again, and
//! the same edit once more changes nothing.
#![no_main]

use liveops_domain::flag::audience::audience;
use liveops_domain::flag::bulk::Bulk;
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::edit::{Edit, ListEdit, SetEdit, apply};
use liveops_domain::flag::evaluate::evaluate;
use liveops_domain::flag::lint::{LintContext, lint};
use liveops_domain::flag::percent::Percent;
use liveops_domain::flag::reader::Reader;
use liveops_domain::flag::user::User;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (Ok(name), user) = ("flag".parse(), User::new(text.clone())) else {
        return;
    };
    for reader in Reader::ALL {
        lint(&name, data, reader, LintContext::default());
        if let Ok(flag) = Flag::read(data) {
            let told = evaluate(Some(&flag), &name, reader, &user);
            let _ = audience(Some(&flag), &name, reader);
            assert_eq!(flag.document().bytes(), data);
            assert_eq!(Bulk::new(flag, name.clone(), reader).id(&user.id), told.answer);
        }
        let list = ListEdit { add: vec![text.clone().into_owned()], remove: vec!["a".into()] };
        let half = SetEdit { percentage: Some(Percent::whole(50)), default_value: Some(true), ..SetEdit::default() };
        for edit in [Edit::Kill, Edit::Enable, Edit::Allow(list.clone()), Edit::Block(list), Edit::Set(half)] {
            if let Ok(Some(edited)) = apply(Some(data), &edit, reader) {
                assert!(Flag::read(&edited).is_ok());
                assert_eq!(apply(Some(&edited), &edit, reader), Ok(Some(edited)));
            }
        }
    }
});
