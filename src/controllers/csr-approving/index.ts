/** Approves the certificate requests of nodes whose requester may have them (pkg/controller/certificates/approver of upstream). */
import { keyOf } from '../../api/object.ts';
import type { CertificateSigningRequest } from '../../api/types/index.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isConflict } from '../../base/errors.ts';
import { parseCertificateRequest } from '../../base/x509/certificate.ts';
import { type Controller, watch } from '../../controller/contract.ts';
import { isNodeClient, isOwnServing, isSelfNodeClient, signers } from '../csr-signing/recognize.ts';

interface Recognizer {
  matches(csr: CertificateSigningRequest): boolean;
  /** The subresource of certificatesigningrequests that the requester must be allowed to create. */
  readonly permission: string;
  readonly message: string;
}

export const csrApprovingController: Controller = {
  name: 'certificatesigningrequest-approving-controller',
  account: 'certificate-controller',
  setUp({ client, clock, informers }) {
    const requests = informers.informer('certificates.k8s.io/v1/certificatesigningrequests');
    const nodes = informers.informer('v1/nodes');
    const parsed = (csr: CertificateSigningRequest) => parseCertificateRequest(atob(csr.spec.request));
    const recognizers: readonly Recognizer[] = [
      {
        matches: csr =>
          csr.spec.signerName === signers.kubeletClient &&
          isSelfNodeClient(parsed(csr), csr.spec.usages ?? [], csr.spec.username ?? ''),
        permission: 'selfnodeclient',
        message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
      },
      {
        matches: csr =>
          csr.spec.signerName === signers.kubeletClient && isNodeClient(parsed(csr), csr.spec.usages ?? []),
        permission: 'nodeclient',
        message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
      },
      {
        matches: csr => csr.spec.signerName === signers.kubeletServing && ownServing(csr),
        permission: 'selfnodeserver',
        message: 'Auto approving kubelet serving certificate for the node’s own names after SubjectAccessReview.',
      },
    ];

    function ownServing(csr: CertificateSigningRequest): boolean {
      const username = csr.spec.username ?? '';
      const node = nodes.store.get(username.replace(/^system:node:/, ''));
      const addresses = node?.status?.addresses ?? [];
      const ofTypes = (...types: string[]) => addresses.filter(a => types.includes(a.type)).map(a => a.address);
      const names = [...ofTypes('Hostname', 'InternalDNS', 'ExternalDNS'), ...(node ? [node.metadata.name] : [])];
      return isOwnServing(parsed(csr), csr.spec.usages ?? [], username, {
        names,
        addresses: ofTypes('InternalIP', 'ExternalIP'),
      });
    }

    async function isAllowed(csr: CertificateSigningRequest, subresource: string): Promise<boolean> {
      const { username, uid, groups, extra } = csr.spec;
      const review = await client.subjectaccessreviews().create({
        metadata: {},
        spec: {
          ...(username !== undefined && { user: username }),
          ...(uid !== undefined && { uid }),
          ...(groups && { groups }),
          ...(extra && { extra }),
          resourceAttributes: {
            group: 'certificates.k8s.io',
            resource: 'certificatesigningrequests',
            verb: 'create',
            subresource,
            version: '*',
          },
        },
      });
      return review.status?.allowed === true;
    }

    return {
      sources: [
        watch<'certificates.k8s.io/v1/certificatesigningrequests'>(requests, csr => [keyOf(csr)]),
        // A serving certificate waits for its node to say what its addresses are.
        watch<'v1/nodes'>(nodes, (node, old) => {
          if (old && JSON.stringify(old.status?.addresses) === JSON.stringify(node.status?.addresses)) return [];
          const asking = requests.store.list().filter(csr => csr.spec.username === `system:node:${node.metadata.name}`);
          return asking.filter(csr => !csr.status?.conditions?.length).map(keyOf);
        }),
      ],
      async reconcile(name) {
        const csr = requests.store.get(name);
        const decided = csr?.status?.conditions?.some(c => c.type === 'Approved' || c.type === 'Denied');
        if (!csr || csr.status?.certificate || decided) return;
        const matching = recognizers.filter(r => r.matches(csr));
        for (const { permission, message } of matching) {
          if (!(await isAllowed(csr, permission))) continue;
          const now = rfc3339(clock.now());
          const condition = {
            type: 'Approved',
            status: 'True',
            reason: 'AutoApproved',
            message,
            lastUpdateTime: now,
            lastTransitionTime: now,
          };
          const approved = {
            ...csr,
            status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), condition] },
          };
          try {
            await client.certificatesigningrequests().updateSubresource(name, 'approval', approved);
          } catch (error) {
            if (!isConflict(error)) throw error;
          }
          return;
        }
        if (matching.length > 0)
          throw new Error(
            `recognized csr "${name}" as ${JSON.stringify(matching.map(m => m.permission))} but subject access review was not approved`,
          );
      },
    };
  },
};
