// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { adviceFor } from '../../scripts/setup/advice.mjs';

// A plain script that runs before TypeScript is installed, so it has no types.
const { backportsList, parseSources } = await import(new URL('../../scripts/setup/driver.mjs', import.meta.url).href);

describe('apt sources of the set-up', () => {
  const deb822 = `Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`;
  const oneLine =
    '# deb http://old.example/debian bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] https://corp.example/deb bookworm main contrib\n';

  it('reads both forms and skips comments', () => {
    expect(parseSources([deb822])).toEqual([
      { uri: 'http://mirror.example/debian', suite: 'bookworm' },
      { uri: 'http://mirror.example/debian', suite: 'bookworm-updates' },
      { uri: 'http://mirror.example/debian-security', suite: 'bookworm-security' },
    ]);
    expect(parseSources([oneLine])).toEqual([{ uri: 'https://corp.example/deb', suite: 'bookworm' }]);
  });

  it("takes the machine's own mirror, signed by Debian's key", () => {
    const list = backportsList(parseSources([deb822]), '/key.gpg');
    expect(list.trim().split('\n')).toEqual([
      'deb [signed-by=/key.gpg] http://mirror.example/debian bookworm main',
      'deb [signed-by=/key.gpg] http://mirror.example/debian bookworm-updates main',
      'deb [signed-by=/key.gpg] http://mirror.example/debian-security bookworm-security main',
      'deb [signed-by=/key.gpg] http://mirror.example/debian bookworm-backports main',
    ]);
  });

  it('falls back to deb.debian.org', () => {
    expect(backportsList([], '/k')).toContain('http://deb.debian.org/debian bookworm-backports main');
    expect(backportsList([], '/k')).not.toContain('security');
  });
});

describe('advice for systems we install nothing on', () => {
  it.each([
    [{ id: 'ubuntu', version: '24.04', like: 'debian' }, 'apt-get install mesa-vulkan-drivers'],
    [{ id: 'rocky', version: '9', like: 'rhel centos fedora' }, 'dnf install mesa-vulkan-drivers'],
    [{ id: 'arch', version: '', like: '' }, 'pacman -S vulkan-swrast'],
    [{ id: 'debian', version: '12', like: '' }, 'bookworm-backports'],
    [{ id: 'plan9', version: '', like: '' }, 'Lavapipe'],
  ])('%o', (os, words) => expect(adviceFor(os)).toContain(words));
});
