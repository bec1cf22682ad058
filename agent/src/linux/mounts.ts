/**
 * /proc/self/mountinfo: which filesystems are worth a look. Pure. Layout: proc_pid_mountinfo(5).
 *
 * Local filesystems only: statfs on a dead NFS server never returns, and each such call holds one of the process' four
 * pool threads. A device counts once, at its shortest mount point (bind mounts repeat it: /etc/hosts in a container).
 */
import { wordsOf } from './proc-text.ts'

/** Filesystems beyond this are left out: 4 series each. */
export const mountsMax = 32

export interface Mount {
  readonly device: string
  readonly mountpoint: string
  readonly type: string
}

const localTypes = new Set(
  'ext2 ext3 ext4 xfs btrfs bcachefs zfs f2fs jfs reiserfs vfat exfat ntfs ntfs3 fuseblk hfsplus'.split(' '),
)
/** Layers and injected files of containers: their capacity is that of the filesystem below, which is there already. */
const ignoredMountpoints =
  /^\/(dev|proc|sys|run)\/|^\/etc\/(hosts|hostname|resolv\.conf)$|^\/var\/lib\/(docker|containers|containerd|kubelet)\/|^\/snap\//

/** `27 1 254:0 / /mnt rw shared:1 - ext4 /dev/vda rw`: the `-` ends a list of optional fields. */
export function parseMounts(text: string): Mount[] {
  const byDevice = new Map<string, Mount>()
  for (const line of text.split('\n')) {
    const words = wordsOf(line)
    const [, , deviceNumber, , mountpoint] = words
    const separator = words.indexOf('-', 6)
    const type = words[separator + 1]
    const device = words[separator + 2]
    if (deviceNumber === undefined || mountpoint === undefined || separator === -1) continue
    if (type === undefined || device === undefined) continue
    const mount = { device: unescaped(device), mountpoint: unescaped(mountpoint), type }
    // In a container the root is an overlay and all there is.
    if (!localTypes.has(type) && !(type === 'overlay' && mount.mountpoint === '/')) continue
    if (ignoredMountpoints.test(mount.mountpoint)) continue
    const known = byDevice.get(deviceNumber)
    if (known === undefined || mount.mountpoint.length < known.mountpoint.length) byDevice.set(deviceNumber, mount)
  }
  const mounts = [...byDevice.values()].sort((a, b) => (a.mountpoint < b.mountpoint ? -1 : 1))
  return mounts.slice(0, mountsMax)
}

/** The kernel writes blank, tab, newline and backslash as `\040`, `\011`, `\012`, `\134`; text is latin1 bytes of UTF-8. */
function unescaped(word: string): string {
  const bytes = word.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8) & 0xff),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
