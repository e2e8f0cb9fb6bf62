//! Who may read a file besides its owner.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::libc;

use super::check;

/// Lets this user read a file that it does not own and others may not read: a POSIX access control list with a `user`
/// entry, as `setfacl` makes it. The owner may read and write, and nobody else gets anything.
///
/// # Errors
/// Those of fsetxattr(2): EOPNOTSUPP where the file system has no such lists.
pub fn let_read(file: &File, uid: u32) -> io::Result<()> {
    const NO_ID: u32 = u32::MAX;
    // Tag, rights and id of the owner, this user, the group, the most for the two before, and all others: from
    // include/uapi/linux/posix_acl_xattr.h and posix_acl.h of Linux, in the order of their tags.
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, NO_ID), (0x02, 4, uid), (0x04, 0, NO_ID), (0x10, 4, NO_ID), (0x20, 0, NO_ID)];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes().into_iter().chain(rights.to_le_bytes()).chain(id.to_le_bytes()));
    }
    let name = c"system.posix_acl_access";
    // SAFETY: the name is a string, and `list` holds as many bytes as are said; both outlive the call.
    check(unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), list.as_ptr().cast(), list.len(), 0) }.into())
        .map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;
    use crate::sys::as_user;

    #[test]
    fn one_user_may_read_and_neither_write_nor_let_others_in() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        if !nix::unistd::geteuid().is_root() || let_read(&file, 3100).is_err() {
            return;
        }
        let may = |uid: u32| {
            let code = as_user(uid, 1100, &[], &mut || {
                let read = File::open(&path).is_ok();
                let write = File::options().append(true).open(&path).is_ok();
                let open = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).is_ok();
                i32::from(read) + 2 * i32::from(write) + 4 * i32::from(open)
            });
            code.unwrap()
        };
        assert_eq!((may(3100), may(3200)), (1, 0));
        // And then only the other one.
        let_read(&file, 3200).unwrap();
        assert_eq!((may(3100), may(3200)), (0, 1));
        assert_eq!(file.metadata().unwrap().uid(), 0);
    }
}
