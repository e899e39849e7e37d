//! Foreign text on its way to a browser; moments and times in words.

use diagnostics::escape;
use jiff::Timestamp;
use std::time::{Duration, SystemTime};

/// Foreign text as it may be shown: the templates escape markup, this what turns or hides text, and
/// with it the few characters that a document must not hold.
pub(super) fn plain(text: &str) -> String {
    escape(text)
}

/// Foreign text in so many columns, cut in the middle: names of one kind often differ in their ends.
/// A wide character takes two columns.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let shown = plain(text);
    let width = |c: char| if c < '\u{1100}' { 1 } else { 2 };
    if shown.chars().map(width).sum::<usize>() <= columns {
        return shown;
    }
    let fit = |chars: &mut dyn Iterator<Item = char>, columns: usize| -> Vec<char> {
        let used = chars.scan(0, |used, c| {
            *used += width(c);
            Some((*used, c))
        });
        used.take_while(|(used, _)| *used <= columns).map(|(_, c)| c).collect()
    };
    let ends = columns.saturating_sub(1);
    let tail = ends * 2 / 5;
    let start = fit(&mut shown.chars(), ends - tail);
    let end = fit(&mut shown.chars().rev(), tail);
    start.into_iter().chain(['…']).chain(end.into_iter().rev()).collect()
}

/// A moment, exactly, as RFC 3339 has it; empty if it is in no year that can be written.
pub(super) fn exact(at: SystemTime) -> String {
    let moment = Timestamp::try_from(at).ok();
    moment.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

/// A moment as seen from now.
pub(super) fn relative(at: SystemTime, now: SystemTime) -> String {
    match (now.duration_since(at), at.duration_since(now)) {
        (Ok(ago), _) if ago < Duration::from_secs(2) => "just now".to_owned(),
        (Ok(ago), _) => format!("{} ago", rough(ago)),
        (_, Ok(ahead)) => format!("in {}", rough(ahead)),
        (Err(_), Err(_)) => String::new(),
    }
}

/// How long something took.
pub(super) fn took(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => rough(time),
    }
}

/// Seconds since 1970, for machines.
pub(super) fn epoch(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A time in its largest unit.
fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns() {
        for (text, shown) in [
            ("", ""),
            ("web-1", "web-1"),
            ("web-server-12", "web…12"),
            ("日本語", "日本語"),
            ("日本語の", "日…の"),
            ("a\u{202e}b", "a\\u…}b"),
            ("\u{ffff}", "\\u{…f}"),
        ] {
            assert_eq!(cut(text, 6), shown, "{text:?}");
        }
    }

    #[test]
    fn moments_are_told_from_now() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (seconds, words) in [
            (0, "just now"),
            (59, "59 s ago"),
            (180, "3 min ago"),
            (7200, "2 h ago"),
            (400_000, "4 d ago"),
        ] {
            assert_eq!(relative(now - Duration::from_secs(seconds), now), words);
        }
        assert_eq!(relative(now + Duration::from_secs(12), now), "in 12 s");
        assert_eq!(exact(now), "1970-01-12T13:46:40Z");
        assert_eq!(took(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(took(Duration::from_millis(42)), "42 ms");
    }
}
