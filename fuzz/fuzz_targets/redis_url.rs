//! A URL of Redis and a redirection: what is shown of it reads as the same, without the login; an error has none of it.
#![no_main]

use liveops_domain::text::redis_url::{Node, RedisUrl, Topology};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(url) = RedisUrl::parse(&text)
        && !matches!(url.topology, Topology::Sentinel { .. })
    {
        let bare = RedisUrl { user: None, password: None, ..url };
        assert_eq!(RedisUrl::parse(&bare.to_string()).as_ref(), Ok(&bare));
    }
    let login = format!("redis://user:CANARY{text}@host:port");
    if let Err(error) = RedisUrl::parse(&login) {
        assert!(!error.contains("CANARY"), "{error}");
    }
    let from = Node { host: "h".into(), port: 1 };
    if let Ok(node) = from.redirected(&text) {
        assert!(node.port > 0 && !node.host.is_empty());
    }
});
