//! What may be reached from other machines, and what TLS needs.

use super::*;

#[test]
fn beyond_loopback_is_refused_unless_it_is_wanted() {
    let url = "framed://0.0.0.0:8001";
    Case::new().refused(
        &["--listen", "framed://127.0.0.1:1", "--listen", url],
        "--listen: \"framed://0.0.0.0:8001\" can be reached from other machines, and nothing is \
         encrypted: listen on 127.0.0.1, or as framed+tls:// with a certificate, or add --insecure \
         if you trust the network with passwords",
    );
    Case::new().refused(
        &["--listen", "udp://0.0.0.0:1?login=off"],
        "--listen: \"udp://0.0.0.0:1?login=off\" can be reached from other machines, and datagrams \
         are never encrypted: listen on 127.0.0.1, or add --insecure if you trust the network",
    );
    for login in ["off", "optional"] {
        let open = format!("framed+tls://[::]:1?login={login}");
        Case::new().refused(
            &["--listen", &open],
            &format!(
                "--listen: \"{open}\" can be reached from other machines, and requires no login: \
                 leave ?login= away, or add --insecure if anybody may"
            ),
        );
        assert!(Case::new().load(&["--listen", &open, "--insecure"]).is_ok());
    }
    for encrypted in [
        "framed+tls://0.0.0.0:1",
        "framed+tls://0.0.0.0:1?login=required",
        "sink+tls://0.0.0.0:1?login=off",
        "login+tls://0.0.0.0:1",
    ] {
        assert!(
            Case::new().load(&["--listen", encrypted]).is_ok(),
            "{encrypted}"
        );
    }
    let resolved = Case::new().load(&["--listen", url, "--insecure"]).unwrap();
    assert!(resolved.settings.config.insecure);
    let case = Case::new().file("insecure = true");
    assert!(case.load(&["--listen", url]).is_ok());
    assert!(case.load(&["--listen", url, "--insecure=false"]).is_err());
}

#[test]
fn a_certificate_comes_with_its_key_and_for_those_who_show_it() {
    let check = |words: &[&str]| {
        let resolved = Case::new().load(words).unwrap();
        let checked = resolved.refuse_missing_identity();
        checked.map_err(|error| error.to_string())
    };
    let advice = "gatepost cert makes a certificate and its key";
    let listen = "framed+tls://127.0.0.1:1";
    assert_eq!(
        check(&["--listen", listen]),
        Err(format!(
            "--listen: \"{listen}\" needs --tls-cert FILE and --tls-key FILE as well; {advice}"
        ))
    );
    let refused = check(&["--listen", listen, "--tls-cert=/c"]);
    let why = format!("--tls-cert: \"/c\" needs --tls-key FILE as well; {advice}");
    assert_eq!(refused, Err(why));
    let refused = check(&["--tls-key=/k"]);
    let why = format!("--tls-key: \"/k\" needs --tls-cert FILE as well; {advice}");
    assert_eq!(refused, Err(why));
    assert_eq!(
        check(&["--listen", listen, "--tls-cert=/c", "--tls-key=/k"]),
        Ok(())
    );
    assert_eq!(check(&[]), Ok(()));
}
