//! Where to listen and what is spoken there: `scheme[+tls]://host:port[?login=…&room=…]`. Which
//! parameters a scheme takes is in `scheme`.

use super::DEFAULT_PORT;
use super::scheme::{SCHEMES, Scheme};
use crate::wire::RoomName;
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

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
    /// The word in a URL.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let policies = [Self::Off, Self::Optional, Self::Required];
        policies.into_iter().find(|policy| policy.word() == word)
    }
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The conversation.
    pub scheme: Scheme,
    /// Whether it is spoken inside TLS.
    pub tls: bool,
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether a login is asked for.
    pub login: LoginPolicy,
    /// Where messages go that name no room, if not into `lobby`.
    pub room: Option<RoomName>,
    /// What `hello://` answers, if not what the course's server does.
    pub reply: Option<String>,
    /// Whether the lengths of `frames://` are decimal digits.
    pub ascii_length: bool,
    /// The proxies that connect here, each of whose connections begins with a PROXY header, and
    /// nobody else does. Empty where clients connect themselves.
    pub proxy: Vec<IpNet>,
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

impl FromStr for Listen {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        parse(url).map_err(|reason| UrlError {
            url: url.to_owned(),
            reason,
        })
    }
}

fn parse(url: &str) -> Result<Listen, String> {
    let (word, rest) = url
        .split_once("://")
        .ok_or("it has no scheme, as in framed://127.0.0.1:8001")?;
    let (scheme, tls) = parse_scheme(word)?;
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut listen = Listen::new(scheme, parse_authority(scheme, authority)?);
    listen.tls = tls;
    let mut seen: Vec<&str> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if seen.contains(&name) {
            return Err(format!("{name} is said twice"));
        }
        listen.set(name, &decode(value)?)?;
        seen.push(name);
    }
    if !seen.contains(&"login") {
        listen.login = listen.default_login();
    }
    if listen.is_exposed() && !scheme.knows_logins() && !seen.contains(&"login") {
        return Err(format!(
            "other machines reach it, and {word}:// knows no login: say that anybody may with \
             ?login=off"
        ));
    }
    Ok(listen)
}

/// The conversation, and whether it is spoken inside TLS.
fn parse_scheme(word: &str) -> Result<(Scheme, bool), String> {
    let (plain, tls) = match word.strip_suffix("+tls") {
        Some(plain) => (plain, true),
        None => (word, false),
    };
    match Scheme::parse(plain) {
        Some(Scheme::Udp) if tls => Err("there is no TLS for datagrams".to_owned()),
        Some(scheme) => Ok((scheme, tls)),
        None => Err(unknown_scheme(word)),
    }
}

fn unknown_scheme(word: &str) -> String {
    let known: Vec<_> = SCHEMES.iter().map(|scheme| scheme.word()).collect();
    let known = known.join(", ");
    format!("there is no conversation {word:?}; known are {known}")
}

impl Listen {
    /// A listener for `scheme` at `address` without any parameters.
    #[must_use]
    pub const fn new(scheme: Scheme, address: SocketAddr) -> Self {
        let mut listen = Self {
            scheme,
            tls: false,
            address,
            login: LoginPolicy::Off,
            room: None,
            reply: None,
            ascii_length: false,
            proxy: Vec::new(),
        };
        listen.login = listen.default_login();
        listen
    }

    /// Whether other machines reach it: by themselves, or through a proxy.
    #[must_use]
    pub const fn is_exposed(&self) -> bool {
        !self.address.ip().is_loopback() || !self.proxy.is_empty()
    }

    /// What holds unless something else is said: a login is required where others reach it.
    const fn default_login(&self) -> LoginPolicy {
        match self.scheme {
            Scheme::Framed if self.is_exposed() => LoginPolicy::Required,
            Scheme::Framed | Scheme::Login => LoginPolicy::Optional,
            _ => LoginPolicy::Off,
        }
    }

    /// Whether `peer` is a proxy that this listener believes.
    #[must_use]
    pub fn believes(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.proxy.iter().any(|net| net.contains(&peer))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let word = self.scheme.word();
        if !self.scheme.parameters().contains(&name) {
            let taken = match self.scheme.parameters() {
                [] => "none".to_owned(),
                names => names.join(", "),
            };
            return Err(format!(
                "there is no parameter {name:?}; {word}:// takes {taken}"
            ));
        }
        match name {
            "login" => {
                self.login =
                    LoginPolicy::parse(value).ok_or("login is off, optional or required")?;
                if !self.scheme.knows_logins() && self.login != LoginPolicy::Off {
                    return Err(format!("{word}:// knows no login; login can only be off"));
                }
            }
            "room" => {
                let room = RoomName::new(value).map_err(|error| error.to_string())?;
                self.room = Some(room);
            }
            "reply" => self.reply = Some(value.to_owned()),
            "proxy" => self.proxy = parse_proxies(value)?,
            _ => self.ascii_length = parse_length(value)?,
        }
        Ok(())
    }
}

fn parse_length(value: &str) -> Result<bool, String> {
    match value {
        "ascii" => Ok(true),
        "binary" => Ok(false),
        _ => Err("length is binary or ascii".to_owned()),
    }
}

/// Networks or single addresses, with commas between them.
fn parse_proxies(value: &str) -> Result<Vec<IpNet>, String> {
    let parse = |word: &str| {
        let net = word.parse::<IpNet>().ok();
        net.or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
            .map(|net| net.trunc())
            .ok_or_else(|| {
                format!("proxy={word:?} is no network, as in 10.0.0.0/8, and no address")
            })
    };
    value.split(',').map(parse).collect()
}

/// The URL; parameters only where they are not the default.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = if self.tls { "+tls" } else { "" };
        write!(f, "{}{tls}://{}", self.scheme.word(), self.address)?;
        let must_be_said = !self.scheme.knows_logins() && self.is_exposed();
        let is_said = self.login != self.default_login() || must_be_said;
        let login = is_said.then(|| self.login.word());
        let proxies: Vec<_> = self.proxy.iter().map(IpNet::to_string).collect();
        let proxies = (!proxies.is_empty()).then(|| proxies.join(","));
        let parameters = [
            ("login", login),
            ("room", self.room.as_ref().map(RoomName::as_str)),
            ("reply", self.reply.as_deref()),
            ("length", self.ascii_length.then_some("ascii")),
            ("proxy", proxies.as_deref()),
        ];
        let said = parameters
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        for (place, (name, value)) in said.enumerate() {
            let mark = if place == 0 { '?' } else { '&' };
            write!(f, "{mark}{name}={}", encode(value))?;
        }
        Ok(())
    }
}

/// Undoes percent-encoding; what is not encoded stays as it is.
fn decode(value: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut pieces = value.split('%');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let (digits, rest) = piece
            .split_at_checked(2)
            .filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .ok_or_else(|| format!("{value:?} has a % without two hexadecimal digits"))?;
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| format!("{value:?} is not UTF-8 when decoded"))
}

/// Percent-encodes what would end a parameter, a URL or a list of them, or could not be read.
fn encode(value: &str) -> String {
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"%&#,\"\\".contains(c);
    let mut encoded = String::new();
    for c in value.chars() {
        if is_plain(c) {
            encoded.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}

fn parse_authority(scheme: Scheme, authority: &str) -> Result<SocketAddr, String> {
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
        None if scheme == Scheme::Framed => DEFAULT_PORT,
        None => return Err("it has no port".to_owned()),
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
mod tests;
