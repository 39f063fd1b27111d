//! What a probe asks: `http://host:port/path` and `host:port`, as people write them (H7, P3).

use std::net::Ipv6Addr;

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It has another scheme than `http://`, or none.
    #[error("{text:?} does not begin with http://")]
    Scheme {
        /// As written.
        text: String,
    },
    /// It names no host.
    #[error("{text:?} names no host")]
    Host {
        /// As written.
        text: String,
    },
    /// It names no port from 1 to 65535.
    #[error("{text:?} names no port from 1 to 65535")]
    Port {
        /// As written.
        text: String,
    },
    /// It has a character that cannot stand in a target.
    #[error("{text:?} has a blank, a control character or a letter beyond ASCII")]
    Character {
        /// As written.
        text: String,
    },
}

/// What an HTTP probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// `host:port`, for the connection and for the `Host` header.
    pub authority: String,
    /// The path with its query, beginning with `/`.
    pub path: String,
}

/// Reads `http://host[:port][/path]`; without a port it is 80, without a path `/`.
///
/// # Errors
///
/// Another scheme, no host, no port, or a character that would break the request.
pub fn http(text: &str) -> Result<HttpTarget, TargetError> {
    plain(text)?;
    let rest = text.strip_prefix("http://").ok_or_else(|| TargetError::Scheme { text: text.to_owned() })?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    // What follows # is never sent.
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    // An IPv6 address in brackets has colons of its own.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let authority = if has_port { host.to_owned() } else { format!("{host}:80") };
    host_and_port(&authority, text)?;
    Ok(HttpTarget { authority, path })
}

/// Reads `host:port` and gives it back; an IPv6 address stands in brackets.
///
/// # Errors
///
/// No host, no port, or a character that cannot stand in either.
pub fn tcp(text: &str) -> Result<String, TargetError> {
    plain(text)?;
    host_and_port(text, text)?;
    Ok(text.to_owned())
}

fn plain(text: &str) -> Result<(), TargetError> {
    match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(TargetError::Character { text: text.to_owned() }),
    }
}

/// Whether `authority` is a host and a port; errors show `text`.
fn host_and_port(authority: &str, text: &str) -> Result<(), TargetError> {
    let (host, port) = authority.rsplit_once(':').ok_or_else(|| TargetError::Port { text: text.to_owned() })?;
    let numbered = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if !numbered {
        return Err(TargetError::Port { text: text.to_owned() });
    }
    let usable = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => {
            let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            !host.is_empty() && host.bytes().all(of_a_name)
        }
    };
    if usable { Ok(()) } else { Err(TargetError::Host { text: text.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h7_the_forms_that_people_write_are_read() {
        let read = |text| http(text).map(|target| (target.authority, target.path));
        let is = |authority: &str, path: &str| Ok((authority.to_owned(), path.to_owned()));
        assert_eq!(read("http://127.0.0.1:8080/health"), is("127.0.0.1:8080", "/health"));
        assert_eq!(read("http://plant"), is("plant:80", "/"));
        assert_eq!(read("http://[::1]/x?y=1#z"), is("[::1]:80", "/x?y=1"));
        assert_eq!(read("http://[fd00::1]:81?now"), is("[fd00::1]:81", "/?now"));
        assert_eq!(tcp("127.0.0.1:502"), Ok("127.0.0.1:502".to_owned()));
        assert_eq!(tcp("[::1]:502"), Ok("[::1]:502".to_owned()));
    }

    #[test]
    fn h7_what_could_not_be_asked_is_refused() {
        for text in ["", "127.0.0.1:80", "https://x/", "http://", "http://:80/", "http://x:0/", "http://x:99999/"]
            .into_iter()
            .chain(["http://x y/", "http://x/\r\nHost: z", "http://user@x/", "http://fd00::1/", "http://x:+8/"])
        {
            assert!(http(text).is_err(), "{text:?}");
        }
        for text in ["", "plant", "plant:", ":502", "plant:0", "::1:502", "http://x:1"] {
            assert!(tcp(text).is_err(), "{text:?}");
        }
    }
}
