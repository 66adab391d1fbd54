//! Where to listen and what is spoken there: `scheme://host:port[?login=…&room=…]`.

use super::DEFAULT_PORT;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Which conversation is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The framed conversation.
    Framed,
}

/// Whether a listener asks for a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginPolicy {
    /// Nobody can log in here.
    Off,
    /// Guests are served, users may log in.
    Optional,
    /// Nothing is served before a login.
    Required,
}

impl LoginPolicy {
    /// What holds at `ip` unless something else is said: a login is required beyond loopback.
    #[must_use]
    pub const fn default_at(ip: IpAddr) -> Self {
        if ip.is_loopback() {
            Self::Optional
        } else {
            Self::Required
        }
    }

    /// The word in a URL.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The conversation.
    pub scheme: Scheme,
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether a login is asked for.
    pub login: LoginPolicy,
}

/// A listener's URL that can't be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlError {
    /// The URL as it was given.
    pub url: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a listener: {}", self.url, self.reason)
    }
}

impl std::error::Error for UrlError {}

impl Scheme {
    /// The word before `://`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Framed => "framed",
        }
    }
}

impl FromStr for Listen {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let wrong = |reason: String| UrlError {
            url: url.to_owned(),
            reason,
        };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("it has no scheme, as in framed://127.0.0.1:8001".to_owned()))?;
        if scheme != Scheme::Framed.word() {
            return Err(wrong(format!(
                "there is no conversation {scheme:?}; known is framed"
            )));
        }
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let address = parse_authority(authority).map_err(wrong)?;
        let mut listen = Self {
            scheme: Scheme::Framed,
            address,
            login: LoginPolicy::default_at(address.ip()),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            listen.set(pair).map_err(wrong)?;
        }
        Ok(listen)
    }
}

impl Listen {
    fn set(&mut self, pair: &str) -> Result<(), String> {
        use LoginPolicy::{Off, Optional, Required};
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("login", word) => {
                let policies = [Off, Optional, Required];
                let policy = policies.into_iter().find(|policy| policy.word() == word);
                self.login = policy.ok_or("login is off, optional or required")?;
                Ok(())
            }
            (name, _) => Err(format!("there is no parameter {name:?}")),
        }
    }
}

/// The URL; parameters only where they are not the default.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.word(), self.address)?;
        if self.login != LoginPolicy::default_at(self.address.ip()) {
            write!(f, "?login={}", self.login.word())?;
        }
        Ok(())
    }
}

fn parse_authority(authority: &str) -> Result<SocketAddr, String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
            (host, port.strip_prefix(':'))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port.parse().map_err(|_| format!("{port:?} is no port"))?,
    };
    let ip: IpAddr = match host {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => host
            .parse()
            .map_err(|_| format!("{host:?} is no IP address to listen on"))?,
    };
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(url: &str, why: &str) {
        let error = url.parse::<Listen>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_login_is_required_beyond_loopback() {
        let login = |url: &str| url.parse::<Listen>().unwrap().login;
        assert_eq!(login("framed://127.0.0.1:1"), LoginPolicy::Optional);
        assert_eq!(login("framed://[::1]:1"), LoginPolicy::Optional);
        assert_eq!(login("framed://0.0.0.0:1"), LoginPolicy::Required);
        assert_eq!(login("framed://[::]"), LoginPolicy::Required);
        assert_eq!(login("framed://0.0.0.0:1?login=off"), LoginPolicy::Off);
    }

    #[test]
    fn a_listener_is_shown_as_it_can_be_given_again() {
        for url in [
            "framed://127.0.0.1:8001",
            "framed://127.0.0.1:8001?login=off",
            "framed://127.0.0.1:8001?login=required",
            "framed://[::]:8001",
            "framed://0.0.0.0:0?login=optional",
        ] {
            assert_eq!(url.parse::<Listen>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn a_wrong_url_says_what_is_wrong() {
        refused("127.0.0.1:1", "no scheme");
        refused("http://127.0.0.1:1", "no conversation \"http\"");
        refused("framed://127.0.0.1:99999", "no port");
        refused("framed://example.org:1", "no IP address");
        refused("framed://[::1:1", "bracket");
        refused(
            "framed://127.0.0.1:1?login=maybe",
            "off, optional or required",
        );
        refused("framed://127.0.0.1:1?color=red", "no parameter \"color\"");
    }
}
